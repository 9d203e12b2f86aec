# Runs last in every image: takes out what differs from build to build or belongs to one computer.
rm -f /etc/apt/apt.conf.d/99mmdebstrap /etc/dpkg/dpkg.cfg.d/99mmdebstrap
[ ! -e /etc/apt/sources.list.d/debian.sources ] || rm -f /etc/apt/sources.list
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /var/cache/apt/*.bin
rm -rf /var/log/* /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/cache/ldconfig /var/cache/man
rm -rf /tmp/* /var/tmp/* /root/.npm /root/.cache /root/.wget-hsts
rm -f /etc/*- /etc/.pwd.lock /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub /var/lib/systemd/random-seed
rm -f /usr/local/lib/node_modules/.package-lock.json
install -d -m 0755 /var/log/apt /var/cache/apt/archives
install -d -m 0700 -o _apt -g root /var/lib/apt/lists/partial /var/cache/apt/archives/partial
: >/etc/machine-id
: >/etc/hostname
rm -f /etc/resolv.conf
: >/etc/resolv.conf
printf '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n' >/etc/hosts
# the day a password was set: one day for all
sed -i -E 's/^([^:]*:[^:]*:)[0-9]+:/\120000:/' /etc/shadow
