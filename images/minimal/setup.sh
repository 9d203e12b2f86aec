# The user of the sprite: uid 1000, locked password, sudo without one.
userdel --remove sprite 2>/dev/null || true
useradd --create-home --uid 1000 --user-group --shell /bin/bash --comment Sprite sprite
usermod --append --groups sudo,adm sprite
echo 'sprite ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/90-sprite
chmod 0440 /etc/sudoers.d/90-sprite

# One environment for execs (/etc/environment) and for login shells (/etc/profile.d).
home=/home/sprite
cat >>/etc/environment <<END
PATH=$home/.local/bin:$home/go/bin:$home/.cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LANG=C.UTF-8
END
cat >/etc/profile.d/sprite.sh <<'END'
# Gives login shells the variables of /etc/environment, as PAM does for others.
while IFS='=' read -r sprite_name sprite_value; do
  case $sprite_name in
    '' | *[!A-Za-z0-9_]*) ;;
    *) export "$sprite_name=$sprite_value" ;;
  esac
done </etc/environment
unset sprite_name sprite_value
END
install -d -o sprite -g sprite -m 0755 "$home/.local" "$home/.local/bin"
