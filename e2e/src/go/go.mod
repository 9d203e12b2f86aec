module sprites.example/e2e

go 1.22
