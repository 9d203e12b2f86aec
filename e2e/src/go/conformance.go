// Command conformance uses a server through the official Go SDK: `conformance <case>`; it exits with 0 when the case holds.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	sprites "github.com/superfly/sprites-go"
)

var (
	url        = os.Getenv("SPRITES_E2E_URL")
	token      = os.Getenv("SPRITES_E2E_TOKEN")
	otherToken = os.Getenv("SPRITES_E2E_OTHER_TOKEN")
	name       = os.Getenv("SPRITES_E2E_SPRITE")
	bigScript  = os.Getenv("SPRITES_E2E_BIG_SCRIPT")
	ctx        = context.Background()
	client     = sprites.New(token, sprites.WithBaseURL(url))
)

var cases = map[string]func() error{
	"lifecycle":           lifecycle,
	"errors":              typedErrors,
	"env_dir_and_streams": envDirAndStreams,
	"stdin":               stdin,
	"no_stdin":            noStdin,
	"exit_codes":          exitCodes,
	"tty":                 tty,
	"resize":              resize,
	"signal":              signal,
	"detach_and_attach":   detachAndAttach,
	"direct":              direct,
	"services":            services,
	"big_output":          bigOutput,
}

func main() {
	run, known := cases[os.Args[1]]
	if !known {
		fmt.Fprintf(os.Stderr, "no case %q\n", os.Args[1])
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func lifecycle() error {
	other := name + "-two"
	if _, err := client.CreateSprite(ctx, other, nil); err != nil {
		return err
	}
	got, err := client.GetSprite(ctx, other)
	if err != nil {
		return err
	}
	all, err := client.ListAllSprites(ctx, other)
	if err != nil {
		return err
	}
	if err := client.UpgradeSprite(ctx, other); err != nil {
		return err
	}
	if err := client.DeleteSprite(ctx, other); err != nil {
		return err
	}
	if _, err := client.GetSprite(ctx, other); err == nil {
		return errors.New("a deleted sprite was found")
	}
	return equal(fmt.Sprint(got.Name(), len(all)), fmt.Sprint(other, 1))
}

func typedErrors() error {
	for _, strange := range []*sprites.Client{
		sprites.New(otherToken, sprites.WithBaseURL(url)),
		sprites.New("a/b/c/d", sprites.WithBaseURL(url)),
	} {
		if _, err := strange.GetSprite(ctx, name); err == nil {
			return errors.New("a stranger got the sprite")
		}
	}
	if _, err := client.CreateSprite(ctx, name, nil); err == nil {
		return errors.New("a second sprite of the name was made")
	}
	err := client.Sprite("no-such-sprite").Command("true").Run()
	var refused *sprites.APIError
	if !errors.As(err, &refused) {
		return fmt.Errorf("an unknown sprite gave %T %v", err, err)
	}
	return equal(fmt.Sprint(refused.StatusCode, refused.ErrorCode), "404 sprite_not_found")
}

func envDirAndStreams() error {
	cmd := client.Sprite(name).Command("sh", "-c", `echo "$A|$(pwd)"; echo err >&2`)
	cmd.Env = []string{"A=b c"}
	cmd.Dir = "/tmp"
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return err
	}
	return equal(stdout.String()+stderr.String(), "b c|/tmp\nerr\n")
}

func stdin() error {
	data := make([]byte, 256_000)
	if _, err := rand.Read(data); err != nil {
		return err
	}
	cmd := client.Sprite(name).Command("cat")
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	return equal(sum(out), sum(data))
}

func noStdin() error {
	out, err := client.Sprite(name).Command("cat").Output()
	if err != nil {
		return err
	}
	return equal(string(out), "")
}

func exitCodes() error {
	for _, one := range []struct {
		args []string
		code int
	}{
		{[]string{"sh", "-c", "exit 3"}, 3},
		{[]string{"/no/such/program"}, 127},
		{[]string{"/etc/passwd"}, 126},
		{[]string{"sh", "-c", "kill -9 $$"}, 137},
	} {
		if err := exited(client.Sprite(name).Command(one.args[0], one.args[1:]...).Run(), one.code); err != nil {
			return err
		}
	}
	return nil
}

func tty() error {
	cmd := directSprite().Command("sh", "-c", "tty; stty size; exit 5")
	cmd.SetTTY(true)
	if err := cmd.SetTTYSize(33, 111); err != nil {
		return err
	}
	out, err := cmd.Output()
	if err := exited(err, 5); err != nil {
		return err
	}
	if !strings.HasPrefix(string(out), "/dev/") || !strings.Contains(string(out), "33 111\r\n") {
		return fmt.Errorf("output %q", out)
	}
	return nil
}

func resize() error {
	out := &buffer{}
	cmd := directSprite().Command("sh", "-c", "stty size; read line; stty size")
	cmd.SetTTY(true)
	if err := cmd.SetTTYSize(33, 111); err != nil {
		return err
	}
	input, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := out.await("33 111"); err != nil {
		return err
	}
	if err := cmd.Resize(99, 44); err != nil {
		return err
	}
	if _, err := io.WriteString(input, "go\n"); err != nil {
		return err
	}
	if err := cmd.Wait(); err != nil {
		return err
	}
	return out.await("44 99")
}

func signal() error {
	out := &buffer{}
	cmd := directSprite().Command("sh", "-c", `trap "exit 9" TERM; echo up; while :; do sleep 0.1; done`)
	cmd.Stdout = out
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := out.await("up"); err != nil {
		return err
	}
	if err := cmd.Signal("TERM"); err != nil {
		return err
	}
	return exited(cmd.Wait(), 9)
}

// detachAndAttach leaves a terminal session by ending its context, lists it, attaches and ends it by its input.
func detachAndAttach() error {
	leaving, leave := context.WithCancel(ctx)
	defer leave()
	sprite := directSprite()
	ids := make(chan string, 1)
	first := sprite.CommandContext(leaving, "sh", "-c", "echo ready; exec cat")
	first.SetTTY(true)
	first.TextMessageHandler = func(text []byte) {
		var info struct {
			Type      string `json:"type"`
			SessionID string `json:"session_id"`
		}
		if json.Unmarshal(text, &info) == nil && info.Type == "session_info" {
			ids <- info.SessionID
		}
	}
	if err := first.Start(); err != nil {
		return err
	}
	var id string
	select {
	case id = <-ids:
	case <-time.After(10 * time.Second):
		return errors.New("no session_info within 10 s")
	}
	leave()
	_ = first.Wait() // whatever it says of a cancelled context, the session goes on
	if err := awaitTrue("the session in the list", func() bool { return listed(sprite, id) }); err != nil {
		return err
	}
	out := &buffer{}
	second := sprite.AttachSession(id)
	input, err := second.StdinPipe()
	if err != nil {
		return err
	}
	second.Stdout = out
	if err := second.Start(); err != nil {
		return err
	}
	if err := out.await("ready"); err != nil {
		return err
	}
	if _, err := io.WriteString(input, "again\n"); err != nil {
		return err
	}
	if err := out.await("again"); err != nil {
		return err
	}
	if _, err := input.Write([]byte{4}); err != nil {
		return err
	}
	if err := second.Wait(); err != nil {
		return err
	}
	return awaitTrue("the session gone from the list", func() bool { return !listed(sprite, id) })
}

func direct() error {
	out, err := directSprite().Command("echo", "direct").Output()
	if err != nil {
		return err
	}
	return equal(string(out), "direct\n")
}

func services() error {
	sprite := client.Sprite(name)
	port := 3000
	web := &sprites.ServiceRequest{Cmd: "sh", Args: []string{"-c", "echo up; exec sleep 1000"}, HTTPPort: &port}
	stream, err := sprite.CreateServiceWithDuration(ctx, "web", web, 1500*time.Millisecond)
	if err := expectEvents(stream, err, "started", "stdout up\n", "complete"); err != nil {
		return err
	}
	list, err := sprite.ListServices(ctx)
	if err != nil {
		return err
	}
	if err := equal(fmt.Sprint(len(list), list[0].Name, list[0].State.Status), "1 web running"); err != nil {
		return err
	}
	stream, err = sprite.StopServiceWithTimeout(ctx, "web", time.Minute)
	if err := expectEvents(stream, err, "stopping", "stopped", "complete"); err != nil {
		return err
	}
	if err := sprite.SignalService(ctx, "web", "HUP"); err == nil || !strings.Contains(err.Error(), "service not running") {
		return fmt.Errorf("a signal to a stopped service gave %v", err)
	}
	stream, err = sprite.StartServiceWithDuration(ctx, "web", 500*time.Millisecond)
	if err := expectEvents(stream, err, "started", "stdout up\n", "complete"); err != nil {
		return err
	}
	if err := sprite.SignalService(ctx, "web", "WINCH"); err != nil {
		return err
	}
	other := &sprites.ServiceRequest{Cmd: "true", HTTPPort: &port}
	if _, err := sprite.CreateService(ctx, "two", other); err == nil || !strings.Contains(err.Error(), "service conflict") {
		return fmt.Errorf("a second http port gave %v", err)
	}
	if err := sprite.DeleteService(ctx, "web"); err != nil {
		return err
	}
	if _, err := sprite.GetService(ctx, "web"); err == nil || !strings.Contains(err.Error(), "service not found") {
		return fmt.Errorf("a deleted service gave %v", err)
	}
	return nil
}

func expectEvents(stream *sprites.ServiceStream, err error, wanted ...string) error {
	if err != nil {
		return err
	}
	var got []string
	err = stream.ProcessAll(func(event *sprites.ServiceLogEvent) error {
		got = append(got, strings.TrimSpace(event.Type+" "+strings.ReplaceAll(event.Data, "\n", `\n`)))
		return nil
	})
	if err != nil {
		return err
	}
	return equal(strings.Join(got, "|"), strings.ReplaceAll(strings.Join(wanted, "|"), "\n", `\n`))
}

func bigOutput() error {
	want, err := client.Sprite(name).Command("sh", "-c", bigScript+" | sha256sum").Output()
	if err != nil {
		return err
	}
	out, err := client.Sprite(name).Command("sh", "-c", bigScript).Output()
	if err != nil {
		return err
	}
	size := strconv.Itoa(len(out))
	return equal(size+" "+sum(out), os.Getenv("SPRITES_E2E_BIG_BYTES")+" "+string(want[:64]))
}

// directSprite is the sprite by a client that makes a connection for each command.
func directSprite() *sprites.Sprite {
	return sprites.New(token, sprites.WithBaseURL(url), sprites.WithDisableControl()).Sprite(name)
}

func listed(sprite *sprites.Sprite, id string) bool {
	sessions, err := sprite.ListSessions(ctx)
	if err != nil {
		return false
	}
	for _, session := range sessions {
		if session.ID == id {
			return true
		}
	}
	return false
}

func exited(err error, code int) error {
	var exit *sprites.ExitError
	if !errors.As(err, &exit) {
		return fmt.Errorf("wanted exit status %d, got %T %v", code, err, err)
	}
	return equal(strconv.Itoa(exit.ExitCode()), strconv.Itoa(code))
}

func equal(got, wanted string) error {
	if got == wanted {
		return nil
	}
	return fmt.Errorf("got %q, wanted %q", got, wanted)
}

func sum(data []byte) string {
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

func awaitTrue(what string, check func() bool) error {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if check() {
			return nil
		}
	}
	return fmt.Errorf("%s: not within 10 s", what)
}

// buffer collects output that another goroutine looks at.
type buffer struct {
	mutex sync.Mutex
	data  bytes.Buffer
}

func (b *buffer) Write(data []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.data.Write(data)
}

func (b *buffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.data.String()
}

func (b *buffer) await(text string) error {
	return awaitTrue(fmt.Sprintf("%q in the output %q", text, b.String()), func() bool {
		return strings.Contains(b.String(), text)
	})
}
