#!/bin/sh
# Makes node_modules right for package-lock.json, so that the scripts after this one run on the Node 26 it brings.
# Needs any Node >= 20 with npm. Does nothing when there is nothing to do.
set -eu
cd "$(dirname "$0")/.."

# npm writes this file last, so it is as new as the newest complete installation.
stamp=node_modules/.package-lock.json
if [ -x node_modules/.bin/node ] && [ -f "$stamp" ] && ! [ package-lock.json -nt "$stamp" ]; then
  exit 0
fi

if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
  echo "bootstrap: this is $(uname -s) on $(uname -m); the server runs on Linux on x86_64 only" >&2
  exit 1
fi
for tool in node npm; do
  if ! command -v "$tool" >/dev/null 2>&1; then
    echo "bootstrap: $tool is not installed; install Node.js 20 or newer with npm (apt-get install nodejs npm on Debian 13 and Ubuntu 25.04; otherwise https://nodejs.org/en/download)" >&2
    exit 1
  fi
done
major=$(node -p 'process.versions.node.split(".")[0]')
if [ "$major" -lt 20 ]; then
  echo "bootstrap: node $(node --version) is too old; install Node.js 20 or newer (https://nodejs.org/en/download)" >&2
  exit 1
fi

echo "bootstrap: installing the npm packages of package-lock.json into node_modules, among them Node 26, which runs everything else (about a minute the first time)"
npm ci --no-audit --no-fund --loglevel=error
touch "$stamp"
