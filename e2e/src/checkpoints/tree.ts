import type { Sprite } from '@sprites/sdk';

/** Runs a shell script in a sprite and returns what it printed. */
export async function sh(sprite: Sprite, script: string): Promise<string> {
  return (await sprite.execFile('sh', ['-c', script])).stdout;
}

/** Below these, trees are made and hashed: in the home, and as root where nothing of the machine's own lies. */
const places = '/home/sprite/tree /srv/tree';

/** Makes trees of all kinds of files whose content follows from `seed`; what a tree of another seed had is gone. */
export async function growTree(sprite: Sprite, seed: string): Promise<void> {
  await sh(
    sprite,
    `set -e
    for place in ${places}; do
      sudo rm -rf $place; sudo mkdir -p $place/a/b $place/empty; sudo chown -R sprite $place; cd $place
      for i in $(seq 1 40); do echo "${seed} $i" > a/file-$i; done
      head -c 300000 /dev/urandom > a/b/noise-${seed}
      ln -s ../nowhere a/link; ln a/file-1 a/b/hard; : > 'a/odd name ü'; truncate -s 50M sparse
      sudo sh -c 'echo secret > rooted; chmod 600 rooted; mkfifo a/pipe'
      chmod 751 a/b; touch -d 2001-02-03T04:05:06.789 a/file-2
    done
    sudo sh -c 'echo ${seed} > /etc/motd'
    sync`,
  );
}

/** One hash over names, kinds, modes, owners, times, link targets and contents of the trees and of a file of the image. */
export async function hashTree(sprite: Sprite): Promise<string> {
  const facts = "'%p|%y|%m|%U|%G|%T@|%l|%n\\n'";
  const script = `{ find ${places} /etc/motd -printf ${facts} | sort
    find ${places} /etc/motd -type f -print0 | sort -z | xargs -0 sha256sum; } | sha256sum`;
  const { stdout } = await sprite.execFile('sudo', ['sh', '-c', script]);
  return stdout.slice(0, 64);
}
