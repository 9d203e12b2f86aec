# These packages carry their program in a package for the platform, and copy it in an install script.
# Scripts do not run here; a link does the same.
modules=/usr/local/lib/node_modules
link() {
  target=$(find "$modules/$1" -type f -path "*linux-*/$2" ! -path '*musl*' | sort | head -n 1)
  test -n "$target"
  chmod 0755 "$target"
  ln -sf "$target" "/usr/local/bin/$3"
}
link @anthropic-ai/claude-code claude claude
link bun bin/bun bun
link bun bin/bun bunx
link deno deno deno
chown -R sprite:sprite "$modules"
