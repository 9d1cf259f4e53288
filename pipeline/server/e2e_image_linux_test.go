package server_test

import (
	"bytes"
	"crypto/x509"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gcli2api/pipeline/simulator"
)

// image is what the Dockerfile makes, carried out by hand below a folder.
type image struct {
	t          *testing.T
	build      string // root of the first step
	root       string // root of the image
	src        string // the context, as .dockerignore leaves it
	env        []string
	workdir    string
	entrypoint []string
	health     []string
	volume     string
	port       string
	from       int // how many steps have begun
}

// carryOut does what each line of the Dockerfile says. A line that it does not know fails the test:
// then this test has to learn it.
func carryOut(t *testing.T) *image {
	t.Helper()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	i := &image{t: t, build: dir + "/build", root: dir + "/root", src: dir + "/build/src"}
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", " ")) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		instruction, rest, _ := strings.Cut(line, " ")
		i.step(instruction, rest)
	}
	return i
}

func (i *image) step(instruction, rest string) {
	i.t.Helper()
	switch instruction {
	case "FROM":
		i.from++
		i.mkdir([]string{i.src, i.root}[i.from-1])
	case "RUN":
		i.run(rest)
	case "COPY":
		i.copy(strings.Fields(rest))
	case "WORKDIR":
		i.workdir = rest
	case "ENV":
		i.env = append(i.env, strings.Fields(rest)...)
	case "VOLUME":
		i.volume = rest
	case "EXPOSE":
		i.port = rest
	case "ENTRYPOINT":
		i.entrypoint = i.list(rest)
	case "HEALTHCHECK":
		_, command, _ := strings.Cut(rest, "CMD ")
		i.health = i.list(command)
	default:
		i.t.Fatalf("this test does not know %s", instruction)
	}
}

func (i *image) list(text string) (list []string) {
	i.t.Helper()
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		i.t.Fatalf("%s: %v", text, err)
	}
	return list
}

func (i *image) mkdir(dir string) {
	i.t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		i.t.Fatal(err)
	}
}

// run carries out a RUN line of the first step. What fetches from the network is there already.
func (i *image) run(line string) {
	i.t.Helper()
	if strings.HasPrefix(line, "apt-get ") || line == "go mod download" {
		return
	}
	mine := regexp.MustCompile(`(^|\s)/(image|own|gcli2api)\b`).ReplaceAllString(line, "${1}"+i.build+"/${2}")
	for command := range strings.SplitSeq(mine, "&&") {
		// This machine is no container: nothing runs as root here that could reach out of the folder.
		words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(command), "CGO_ENABLED=0 "))
		if len(words) == 0 || !slices.Contains([]string{"go", "mkdir", "chmod"}, words[0]) || strings.ContainsAny(command, ";|<>$`'\\(") {
			i.t.Fatalf("this test does not know %q", line)
		}
		for _, w := range words {
			if strings.HasPrefix(w, "/") && !strings.HasPrefix(w, i.build) || strings.Contains(w, "..") {
				i.t.Fatalf("this test does not know where %s is to be", w)
			}
		}
	}
	i.sh(i.src, mine)
}

func (i *image) sh(dir, line string) {
	i.t.Helper()
	cmd := exec.Command("/bin/sh", "-c", line)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		i.t.Fatalf("%s: %v\n%s", line, err, out)
	}
}

// copy carries out a COPY line: out of the context in the first step, out of that step in the second.
func (i *image) copy(args []string) {
	i.t.Helper()
	if i.from == 1 {
		if args[0] == "." {
			i.context()
		}
		return
	}
	if args[0] != "--from=build" {
		i.t.Fatalf("COPY %q takes something of the context into the image", args)
	}
	args = args[1:]
	owner, chown := strings.CutPrefix(args[0], "--chown=")
	if chown {
		args = args[1:]
	}
	from, to := args[0], i.root+args[1]
	if !strings.HasPrefix(from, "/etc/") && !strings.HasPrefix(from, "/usr/") {
		from = i.build + from
	}
	i.mkdir(filepath.Dir(to))
	if info, err := os.Stat(from); err == nil && info.IsDir() {
		i.mkdir(to)
		i.sh(from, `cp -a -- $(ls -A) "`+to+`"`) // what lies in it: a folder that is there keeps its mode
		if chown {
			i.sh(from, `for f in $(ls -A); do chown -R `+owner+` "`+to+`/$f"; done`)
		}
		return
	}
	i.sh("/", "cp -aL "+from+" "+to)
}

// context copies what .dockerignore lets through.
func (i *image) context() {
	i.t.Helper()
	rules, err := os.ReadFile("../../.dockerignore")
	if err != nil {
		i.t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		i.t.Fatal(err)
	}
	for _, name := range []string{".env", "creds/a.json", "stages/creds/a.json", "console/x.db", "store/.gcli2api.db", "client_secret_1.json", "gcli2api.log",
		".git/config", "config.toml", "plugins/my-credential.json"} {
		if sent(string(rules), name) {
			i.t.Errorf("%s would go to the builder", name)
		}
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name, relErr := filepath.Rel(root, path)
		if err != nil || relErr != nil || d.IsDir() || !d.Type().IsRegular() || !sent(string(rules), name) {
			if d != nil && d.IsDir() && (name == ".git" || strings.HasSuffix(name, "node_modules")) {
				return filepath.SkipDir
			}
			return err
		}
		i.mkdir(filepath.Dir(filepath.Join(i.src, name)))
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(i.src, name), data, 0o644)
	})
	if err != nil {
		i.t.Fatal(err)
	}
}

// sent tells whether a file of the checkout goes to the builder: the last rule that covers it or a
// folder above it counts.
func sent(rules, name string) bool {
	yes := true
	for rule := range strings.Lines(rules) {
		if rule = strings.TrimSpace(rule); rule == "" || strings.HasPrefix(rule, "#") {
			continue
		}
		pattern, in := strings.CutPrefix(rule, "!")
		pattern = regexp.QuoteMeta(pattern)
		pattern = strings.NewReplacer(`\*\*/`, `(?:.*/)?`, `\*`, `[^/]*`).Replace(pattern)
		if regexp.MustCompile("^" + pattern + "(?:/.*)?$").MatchString(name) {
			yes = in
		}
	}
	return yes
}

// start runs the image as a container would: in its root, with its environment and more.
func (i *image) start(command []string, user *syscall.Credential, more ...string) (*exec.Cmd, *capture, *capture) {
	i.t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir = i.workdir
	cmd.Env = append(slices.Clone(i.env), more...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: i.root, Credential: user, Pdeathsig: syscall.SIGKILL}
	out, errs := &capture{}, &capture{}
	cmd.Stdout, cmd.Stderr = out, errs
	if err := cmd.Start(); err != nil {
		i.t.Fatal(err)
	}
	return cmd, out, errs
}

// healthy runs the health check of the image.
func (i *image) healthy(more ...string) bool {
	i.t.Helper()
	cmd, _, _ := i.start(i.health, nil, more...)
	return cmd.Wait() == nil
}

// TestImage carries out the Dockerfile by hand and runs what it makes.
func TestImage(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a root folder of its own takes root")
	}
	t.Parallel()
	i := carryOut(t)
	i.looksRight()
	sim := google(t, 1, 0)
	creds := filepath.Join(i.root, i.volume)
	i.mkdir(creds)
	if err := os.Chown(creds, 0, 0); err != nil { // a mounted folder belongs to whoever made it
		t.Fatal(err)
	}
	file := filepath.Join(creds, "ann0.json")
	if err := os.WriteFile(file, sim.CredentialFile("ann0@example.com", simulator.LayoutGateway), 0o600); err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	env := []string{"PORT=" + strconv.Itoa(port), "PASSWORD=" + secret, "TZ=Asia/Shanghai"}
	for _, name := range []string{"OAUTH_PROXY_URL", "GOOGLEAPIS_PROXY_URL", "METADATA_SERVICE_URL", "RESOURCE_MANAGER_API_URL", "SERVICE_USAGE_API_URL", "CODE_ASSIST_ENDPOINT"} {
		env = append(env, name+"="+sim.URL())
	}
	if i.healthy(env...) {
		t.Error("healthy before it began")
	}
	for round := range 2 {
		cmd, out, errs := i.start(i.entrypoint, nil, env...)
		wait(t, "the container is healthy", func() bool { return i.healthy(env...) })
		i.steppedDown(cmd.Process.Pid)
		i.serves(port, round)
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("it ended with %v: %s%s", err, out, errs)
		}
		i.tells(out.String())
	}
	if i.healthy(env...) {
		t.Error("healthy after its end")
	}
	for path, mode := range map[string]fs.FileMode{file: 0o600, creds: 0o700, filepath.Join(creds, ".gcli2api.db"): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Error(err)
			continue
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 10001 || path != creds && info.Mode().Perm() != mode {
			t.Errorf("%s belongs to %d, mode %o", path, uid, info.Mode().Perm())
		}
	}
	i.asAnotherUser(env)
}

// looksRight checks what the image is made of.
func (i *image) looksRight() {
	t := i.t
	t.Helper()
	if i.port != "7861" || i.volume != "/app/creds" || !slices.Contains(i.env, "CREDENTIALS_DIR="+i.volume) || len(i.entrypoint) != 1 ||
		fmt.Sprint(i.health) != fmt.Sprintf("[%s healthcheck]", i.entrypoint[0]) {
		t.Fatalf("%+v", i)
	}
	binary, err := elf.Open(i.root + i.entrypoint[0])
	if err != nil {
		t.Fatal(err)
	}
	defer binary.Close()
	for _, p := range binary.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Error("the binary is not static")
		}
	}
	bundle, err := os.ReadFile(i.root + "/etc/ssl/certs/ca-certificates.crt")
	if err != nil || !x509.NewCertPool().AppendCertsFromPEM(bundle) {
		t.Errorf("CA certificates: %v", err)
	}
	size, err := exec.Command("du", "-sk", i.root).Output()
	t.Logf("the image takes %s kB, %v", bytes.Fields(size)[0], err)
}

// steppedDown: no thread has kept a right of root.
func (i *image) steppedDown(pid int) {
	i.t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(tasks) == 0 {
		i.t.Fatalf("no threads: %v", err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // the thread has ended
		}
		for _, want := range []string{"Uid:\t10001\t10001\t10001\t10001\n", "Gid:\t10001\t10001\t10001\t10001\n", "CapEff:\t0000000000000000\n", "CapPrm:\t0000000000000000\n"} {
			if !strings.Contains(string(text), want) {
				i.t.Errorf("%s lacks %q:\n%s", task, want, text)
			}
		}
		if m := regexp.MustCompile(`(?m)^Groups:[ \t]*(.*)$`).FindStringSubmatch(string(text)); m == nil || strings.TrimSpace(m[1]) != "" {
			i.t.Errorf("%s: groups %q", task, m)
		}
	}
}

// serves asks once and checks that earlier rounds are remembered.
func (i *image) serves(port, round int) {
	t := i.t
	t.Helper()
	g := &gateway{t: t, url: "http://127.0.0.1:" + strconv.Itoa(port), port: port, pass: secret}
	path, body := ask{}.http(flash, "hello")
	if r := g.post(path, body); r.status != http.StatusOK || !strings.Contains(string(r.body), "echo: hello") {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := g.get("/usage/aggregated"); !strings.Contains(string(r.body), fmt.Sprintf(`"requests":{"calls":%d,`, round+1)) {
		t.Errorf("round %d: %s", round, r.body)
	}
}

// tells checks that lines have the time of TZ, and no word of a folder that cannot be written.
func (i *image) tells(out string) {
	i.t.Helper()
	log, err := os.ReadFile(i.root + i.workdir + "/gcli2api.log")
	if err != nil || !strings.Contains(string(log), "[INFO] started") {
		i.t.Errorf("the log file: %v\n%s", err, log)
	}
	if strings.Contains(out, "[WARNING]") || strings.Contains(out, "[ERROR]") {
		i.t.Errorf("it complains: %s", out)
	}
	utc, err := exec.Command("date", "-u", "+%H").Output()
	if err != nil {
		i.t.Fatal(err)
	}
	hour, err := strconv.Atoi(strings.TrimSpace(string(utc)))
	if err != nil {
		i.t.Fatal(err)
	}
	if !regexp.MustCompile(fmt.Sprintf(`(?m)^\[\S+ (%02d|%02d):`, (hour+8)%24, (hour+7)%24)).MatchString(out) {
		i.t.Errorf("it is %d o'clock in UTC, and the lines say: %s", hour, out)
	}
}

// asAnotherUser: what --user does, in a folder that is not that user's.
func (i *image) asAnotherUser(env []string) {
	t := i.t
	t.Helper()
	cmd, out, errs := i.start(i.entrypoint, &syscall.Credential{Uid: 1234, Gid: 1234}, env...)
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 || out.String() != "" || strings.Count(errs.String(), "\n") != 1 || !strings.Contains(errs.String(), i.volume) || !strings.Contains(errs.String(), "1234") {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
}
