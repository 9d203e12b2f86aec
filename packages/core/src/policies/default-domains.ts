/**
 * The names that `include: defaults` of a network policy allows: source hosting, package registries and system packages
 * that development tools need. A name stands for itself, `*.name` for everything below it. Names under which anybody can
 * put anything without an account of the operator's choosing (paste sites, object stores at large) have no place here.
 */
export const defaultDomains: readonly string[] = [
  // source hosting
  'github.com',
  '*.github.com',
  '*.githubusercontent.com',
  'ghcr.io',
  'gitlab.com',
  'registry.gitlab.com',
  'bitbucket.org',
  'codeload.github.com',
  // JavaScript
  'registry.npmjs.org',
  'npmjs.com',
  'www.npmjs.com',
  'registry.yarnpkg.com',
  'repo.yarnpkg.com',
  'nodejs.org',
  'deb.nodesource.com',
  'bun.sh',
  'deno.land',
  'jsr.io',
  'npm.jsr.io',
  // Python
  'pypi.org',
  'files.pythonhosted.org',
  'www.python.org',
  'conda.anaconda.org',
  'repo.anaconda.com',
  'astral.sh',
  // Rust
  'crates.io',
  'index.crates.io',
  'static.crates.io',
  'static.rust-lang.org',
  'sh.rustup.rs',
  // Go
  'go.dev',
  'golang.org',
  'proxy.golang.org',
  'sum.golang.org',
  'dl.google.com',
  // Ruby, PHP, Java, .NET, Elixir
  'rubygems.org',
  'index.rubygems.org',
  'packagist.org',
  'repo.packagist.org',
  'repo.maven.apache.org',
  'repo1.maven.org',
  'plugins.gradle.org',
  'services.gradle.org',
  'api.nuget.org',
  'hex.pm',
  'repo.hex.pm',
  'builds.hex.pm',
  // systems
  'deb.debian.org',
  'security.debian.org',
  'archive.ubuntu.com',
  'security.ubuntu.com',
  'ports.ubuntu.com',
  'ppa.launchpadcontent.net',
  'dl-cdn.alpinelinux.org',
  // images
  'registry-1.docker.io',
  'auth.docker.io',
  'production.cloudflare.docker.com',
  'download.docker.com',
  'quay.io',
];
