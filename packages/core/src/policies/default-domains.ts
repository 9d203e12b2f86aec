/**
 * The names that `include: defaults` of a network policy allows: source hosting, package registries and system packages
 * that development tools need. A name stands for itself, `*.name` for everything below it, so that a registry may move among its
 * own hosts. Names under which anybody can put anything without an account of the operator's choosing (paste sites,
 * object stores at large) have no place here.
 */
export const defaultDomains: readonly string[] = [
  // source hosting
  'github.com',
  '*.github.com',
  '*.githubusercontent.com',
  'ghcr.io',
  'gitlab.com',
  '*.gitlab.com',
  'bitbucket.org',
  // JavaScript
  '*.npmjs.org',
  'npmjs.com',
  '*.npmjs.com',
  '*.yarnpkg.com',
  'nodejs.org',
  '*.nodesource.com',
  'bun.sh',
  'deno.land',
  'jsr.io',
  '*.jsr.io',
  // Python
  'pypi.org',
  '*.pythonhosted.org',
  '*.python.org',
  '*.anaconda.org',
  '*.anaconda.com',
  'astral.sh',
  // Rust
  'crates.io',
  '*.crates.io',
  '*.rust-lang.org',
  '*.rustup.rs',
  // Go
  'go.dev',
  'golang.org',
  '*.golang.org',
  'dl.google.com',
  // Ruby, PHP, Java, .NET, Elixir
  'rubygems.org',
  '*.rubygems.org',
  'packagist.org',
  '*.packagist.org',
  '*.maven.apache.org',
  '*.maven.org',
  '*.gradle.org',
  '*.nuget.org',
  'hex.pm',
  '*.hex.pm',
  // systems
  '*.debian.org',
  '*.ubuntu.com',
  '*.launchpadcontent.net',
  '*.alpinelinux.org',
  // images
  '*.docker.io',
  '*.docker.com',
  'quay.io',
];
