# `pip install` works without flags; the diversion keeps the marker away when Python is upgraded.
for marker in /usr/lib/python3.*/EXTERNALLY-MANAGED; do
  dpkg-divert --quiet --local --rename --add "$marker"
done

# Node.js as its own archive lays it out, so that npm's default prefix is /usr/local.
for package in /usr/local/lib/node_modules/node-linux-*; do
  rm -f /usr/local/bin/node
  cp -a "$package/bin/node" /usr/local/bin/node
  cp -a "$package/include/." /usr/local/include/
  cp -a "$package/share/." /usr/local/share/
  rm -rf "$package"
done

# `npm install -g` works as user sprite without flags. A prefix in ~/.npmrc would do so too, but breaks `sudo npm`
# and nvm.
mkdir -p /usr/local/etc /usr/local/share/man
chown sprite:sprite /usr/local/bin /usr/local/etc /usr/local/lib /usr/local/share /usr/local/share/man
chown -R sprite:sprite /usr/local/lib/node_modules

ln -sf /usr/bin/fdfind /usr/local/bin/fd
update-alternatives --quiet --set editor /bin/nano
# Login shells that do not read /etc/profile.d: a clean login gets the environment of every command, an inherited one,
# such as that of a venv, stays as it is.
cat >>/etc/zsh/zprofile <<'END'
case ":$PATH:" in
  *:/home/sprite/.local/bin:*) ;;
  *) emulate sh -c '. /etc/profile.d/sprite.sh' ;;
esac
END
cat >/etc/fish/conf.d/sprite.fish <<'END'
if status is-login
  if not contains /home/sprite/.local/bin $PATH
    while read -l line
      string match -qr '^\w+=' -- $line; and set -gx (string split -m1 = -- $line)
    end </etc/environment
  end
  set -gx SHELL (command -s fish)
end
END
# zsh asks new users questions unless it finds a file of theirs
install -o sprite -g sprite -m 0644 /etc/zsh/newuser.zshrc.recommended /home/sprite/.zshrc
