"""Uses a server through the official Python SDK: `conformance.py <case>`; exit status 0 when the case holds."""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import threading
import time

from sprites import NotFoundError, SpritesClient
from sprites.exceptions import APIError, AuthenticationError, ExecError, FilesystemError, SpriteError
from sprites.session import kill_session

URL = os.environ["SPRITES_E2E_URL"]
TOKEN = os.environ["SPRITES_E2E_TOKEN"]
OTHER_TOKEN = os.environ["SPRITES_E2E_OTHER_TOKEN"]
NAME = os.environ["SPRITES_E2E_SPRITE"]
BIG_SCRIPT = os.environ["SPRITES_E2E_BIG_SCRIPT"]
BIG_BYTES = int(os.environ["SPRITES_E2E_BIG_BYTES"])

client = SpritesClient(TOKEN, base_url=URL)
sprite = client.sprite(NAME)


def equal(got: object, wanted: object) -> None:
    if got != wanted:
        raise AssertionError(f"got {got!r}, wanted {wanted!r}")


def raised(kind: type[Exception], call) -> Exception:
    try:
        call()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} was raised")


def until(check) -> None:
    for _ in range(200):
        if check():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within 10 s")


class Input(io.RawIOBase):
    """Standard input that gives what it has when it has it, as a pipe does."""

    def __init__(self) -> None:
        self.ready = threading.Condition()
        self.data = b""
        self.ended = False

    def feed(self, data: bytes, end: bool = False) -> None:
        with self.ready:
            self.data += data
            self.ended = self.ended or end
            self.ready.notify()

    def read(self, size: int = -1) -> bytes:
        with self.ready:
            self.ready.wait_for(lambda: self.data or self.ended)
            data, self.data = self.data[:size], self.data[size:]
            return data


def lifecycle() -> None:
    name = NAME + "-two"
    made = client.create_sprite(name, labels=["one"])
    try:
        equal(made.name, name)
        equal(client.get_sprite(name).name, name)
        equal([one.name for one in client.list_all_sprites(name)], [name])
        equal(made.update(labels=["two"]).labels, ["two"])
        made.upgrade()
    finally:
        made.destroy()
    raised(NotFoundError, lambda: client.get_sprite(name))


def errors() -> None:
    raised(NotFoundError, lambda: client.get_sprite("no-such-sprite"))
    raised(NotFoundError, lambda: SpritesClient(OTHER_TOKEN, base_url=URL).get_sprite(NAME))
    stranger = SpritesClient("a/b/c/d", base_url=URL)
    raised(AuthenticationError, lambda: stranger.get_sprite(NAME))
    duplicate = raised(SpriteError, lambda: client.create_sprite(NAME))
    assert "409" in str(duplicate), duplicate
    refused = raised(APIError, lambda: client.sprite("no-such-sprite").run("true"))
    equal((refused.status_code, refused.error_code), (404, "sprite_not_found"))


def env_dir_and_streams() -> None:
    script = 'echo "$A|$(pwd)"; echo err >&2'
    result = sprite.run("sh", "-c", script, capture_output=True, env={"A": "b c"}, cwd="/tmp")
    equal((result.returncode, result.stdout, result.stderr), (0, b"b c|/tmp\n", b"err\n"))


def stdin() -> None:
    data = bytes(range(256)) * 1000
    out = io.BytesIO()
    sprite.command("cat", stdin=io.BytesIO(data), stdout=out).run()
    equal(hashlib.sha256(out.getvalue()).hexdigest(), hashlib.sha256(data).hexdigest())


def no_stdin() -> None:
    equal(sprite.run("cat", capture_output=True).stdout, b"")


def exit_codes() -> None:
    equal(sprite.run("sh", "-c", "exit 3").returncode, 3)
    equal(sprite.run("/no/such/program").returncode, 127)
    equal(sprite.run("/etc/passwd").returncode, 126)
    equal(sprite.run("sh", "-c", "kill -9 $$").returncode, 137)
    error = raised(ExecError, lambda: sprite.command("sh", "-c", "echo why >&2; exit 4").output())
    equal((error.exit_code(), error.stderr), (4, b"why\n"))


def tty() -> None:
    command = sprite.command("sh", "-c", "tty; stty size; exit 5", tty=True, tty_rows=33, tty_cols=111)
    error = raised(ExecError, command.output)
    equal(error.exit_code(), 5)
    assert error.stdout.startswith(b"/dev/"), error.stdout
    assert b"33 111\r\n" in error.stdout, error.stdout


def resize() -> None:
    """`resize` is a method of the SDK's WSCommand, which only `_run_async` reaches; it is awaited on the SDK's loop."""
    import asyncio

    from sprites.websocket import WSCommand

    async def main() -> None:
        script = "stty size; read line; stty size"
        command = sprite.command("sh", "-c", script, tty=True, tty_rows=33, tty_cols=111, stdin=Input())
        socket = WSCommand(command)
        await socket.start()
        while b"33 111" not in socket.get_stdout():
            await asyncio.sleep(0.02)
        await socket.resize(99, 44)
        command.stdin.feed(b"go\n", end=True)
        equal(await socket.wait(), 0)
        await socket.close()
        assert b"44 99\r\n" in socket.get_stdout(), socket.get_stdout()

    asyncio.run(main())


def detach_attach_list_and_kill() -> None:
    """The SDK detaches by leaving: the process with the first client ends its connection."""
    info: dict = {}
    source = Input()
    command = sprite.command("sh", "-c", "echo ready; exec cat", tty=True, stdin=source, timeout=2)

    def hear(message: bytes) -> None:
        value = json.loads(message)
        if value.get("type") == "session_info":
            info.update(value)

    command._text_message_handler = hear
    raised(Exception, command.run)
    source.feed(b"", end=True)
    session_id = info["session_id"]
    until(lambda: session_id in [one.id for one in sprite.list_sessions()])

    out = io.BytesIO()
    again = sprite.attach_session(session_id)
    again.stdin, again.stdout = Input(), out
    codes: list = []

    def attach() -> None:
        codes.append(again._run_sync())

    worker = threading.Thread(target=attach)
    worker.start()
    until(lambda: b"ready" in out.getvalue())
    again.stdin.feed(b"again\n")
    until(lambda: b"again" in out.getvalue())
    events = [event.type for event in kill_session(sprite, session_id, "SIGTERM", 5)]
    equal(events[-1], "complete")
    again.stdin.feed(b"", end=True)
    worker.join(10)
    equal(codes, [143])
    equal([one.id for one in sprite.list_sessions() if one.id == session_id], [])


def control_mode() -> None:
    controlled = SpritesClient(TOKEN, base_url=URL, control_mode=True).sprite(NAME)
    for word in ("one", "two"):
        equal(controlled.run("echo", word, capture_output=True).stdout, word.encode() + b"\n")
    assert controlled.use_control_mode()
    result = controlled.run("sh", "-c", "cat; exit 3", capture_output=True)
    equal(result.returncode, 3)


def checkpoints() -> None:
    made = client.create_sprite(NAME + "-cp")
    try:
        made.run("sh", "-c", "echo one > file")
        messages = list(made.create_checkpoint("first"))
        equal([message.type for message in messages], ["info", "complete"])
        equal([message.type for message in made.create_checkpoint()][-1], "complete")
        equal([one.id for one in made.list_checkpoints()], ["Current", "v2", "v1"])
        equal([one.id for one in made.list_checkpoints("v2")], ["Current", "v2"])
        first = made.get_checkpoint("v1")
        equal((first.id, first.comment), ("v1", "first"))
        made.run("sh", "-c", "echo two > file; touch later")
        restored = list(made.restore_checkpoint("v1"))
        equal((restored[-1].type, restored[-1].data), ("complete", "Checkpoint v1 restored"))
        equal(made.run("sh", "-c", "cat file; ls", capture_output=True).stdout, b"one\nfile\n")
        raised(NotFoundError, lambda: made.get_checkpoint("v9"))
        refused = raised(Exception, lambda: list(made.restore_checkpoint("v9")))
        assert "404" in str(refused), refused
    finally:
        made.destroy()


def files() -> None:
    root = sprite.filesystem("/home/sprite")
    notes = root / "pyfs" / "notes.txt"
    notes.write_text("hello ä\n", mode=0o640)
    equal(notes.read_text(), "hello ä\n")
    stat = notes.stat()
    equal((stat.name, stat.path, stat.size, stat.mode, stat.is_dir), ("notes.txt", "/home/sprite/pyfs/notes.txt", 9, "0640", False))
    notes.chmod(0o600)
    equal(notes.stat().mode, "0600")
    (root / "pyfs" / "sub" / "deep").mkdir(parents=True)
    (root / "pyfs" / "sub").mkdir(exist_ok=True)
    (root / "pyfs" / "sub" / "touched").touch()
    equal(sorted(one.name for one in (root / "pyfs").iterdir()), ["notes.txt", "sub"])
    equal((root / "pyfs" / "sub").listdir(), ["deep", "touched"])
    moved = notes.rename(root / "pyfs" / "moved.txt")
    (root / "pyfs" / "other.txt").write_bytes(b"other")
    (root / "pyfs" / "other.txt").replace(moved)
    equal(moved.read_bytes(), b"other")
    moved.copy_to(root / "pyfs" / "copied.txt")
    (root / "pyfs" / "sub").copy_to(root / "pyfs" / "twin", recursive=True)
    equal((root / "pyfs" / "twin").listdir(), ["deep", "touched"])
    equal((root / "pyfs" / "copied.txt").exists(), True)
    moved.unlink()
    moved.unlink(missing_ok=True)
    equal(moved.exists(), False)
    assert raised(FilesystemError, moved.read_bytes), "a missing file was read"
    assert "directory" in str(raised(FilesystemError, (root / "pyfs").read_bytes)), "a directory was read"
    raised(FilesystemError, (root / "pyfs" / "sub").rmdir)
    assert "ermission" in str(raised(FilesystemError, (root / "/root/x").read_bytes)), "root's file was read"
    (root / "pyfs" / "twin" / "deep").rmdir()
    (root / "pyfs").rmtree()
    equal((root / "pyfs").exists(), False)


def services() -> None:
    script = "echo up; echo oops >&2; exec sleep 1000"
    created = list(sprite.create_service("web", "sh", ["-c", script], http_port=3000, duration=1.5, env={"A": "1"}))
    equal(created[0].type, "started")
    equal(sorted((one.type, one.data) for one in created[1:-1]), [("stderr", "oops\n"), ("stdout", "up\n")])
    equal((created[-1].type, created[-1].log_files["combined"]), ("complete", "/.sprite/logs/services/web.log"))
    assert isinstance(created[0].timestamp, int), created[0]
    (listed,) = sprite.list_services()
    equal((listed.name, listed.http_port, listed.env, listed.state.status), ("web", 3000, {"A": "1"}, "running"))
    got = sprite.get_service("web")
    assert got.state.pid and got.state.started_at and got.state.next_restart_at is None, got
    equal([one.type for one in sprite.stop_service("web", timeout=3)], ["stopping", "stopped", "complete"])
    equal(raised(APIError, lambda: sprite.stop_service("web")).status_code, 409)
    equal(raised(APIError, lambda: sprite.signal_service("web", "HUP")).status_code, 409)
    equal(sprite.get_service("web").state.status, "stopped")
    equal([one.type for one in sprite.start_service("web", duration=0.5)][:1], ["started"])
    sprite.signal_service("web", "SIGWINCH")
    equal(raised(APIError, lambda: sprite.signal_service("web", "NOPE")).status_code, 400)
    crashed = list(sprite.create_service("crash", "sh", ["-c", "exit 3"], duration=5))
    equal([(one.type, one.exit_code) for one in crashed][1], ("exit", 3))
    equal(raised(APIError, lambda: sprite.create_service("two", "true", http_port=80)).status_code, 409)
    equal(raised(APIError, lambda: sprite.create_service("two", "true", needs=["nobody"])).status_code, 400)
    equal(raised(APIError, lambda: sprite.get_service("nobody")).status_code, 404)
    for name in ("web", "crash"):
        sprite.delete_service(name)
    equal(sprite.list_services(), [])
    raised(Exception, lambda: sprite.delete_service("web"))


def network_policy() -> None:
    from sprites.policy import get_network_policy, update_network_policy
    from sprites.types import NetworkPolicy, PolicyRule

    equal(get_network_policy(sprite), NetworkPolicy(rules=[]))
    rules = [
        PolicyRule(domain="*.example.com", action="allow"),
        PolicyRule(include="defaults"),
        PolicyRule(domain="*", action="deny"),
    ]
    update_network_policy(sprite, NetworkPolicy(rules=rules))
    equal(get_network_policy(sprite), NetworkPolicy(rules=rules))
    refused = sprite.run("getent", "hosts", "denied.test", capture_output=True)
    equal(refused.returncode != 0, True)
    bad = NetworkPolicy(rules=[PolicyRule(domain="192.0.2.1", action="allow")])
    error = raised(APIError, lambda: update_network_policy(sprite, bad))
    assert "Invalid policy" in str(error) and "invalid_policy" in str(error), error
    update_network_policy(sprite, NetworkPolicy(rules=[]))
    equal(get_network_policy(sprite).rules, [])


def big_output() -> None:
    result = sprite.run("sh", "-c", BIG_SCRIPT, capture_output=True)
    equal((result.returncode, len(result.stdout)), (0, BIG_BYTES))
    wanted = sprite.run("sh", "-c", BIG_SCRIPT + " | sha256sum", capture_output=True).stdout[:64].decode()
    equal(hashlib.sha256(result.stdout).hexdigest(), wanted)


CASES = {
    case.__name__: case
    for case in (
        lifecycle,
        errors,
        env_dir_and_streams,
        stdin,
        no_stdin,
        exit_codes,
        tty,
        resize,
        detach_attach_list_and_kill,
        control_mode,
        checkpoints,
        services,
        files,
        network_policy,
        big_output,
    )
}

if __name__ == "__main__":
    CASES[sys.argv[1]]()
