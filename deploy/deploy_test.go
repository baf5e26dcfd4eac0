// Package deploy holds the files of an installation to what Leadline is: tests only, nobody imports it.
package deploy

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"

	"leadline/internal/config"
)

// roles are the services that run leadline itself, with the command each is given.
var roles = map[string]string{"topics": "topics create", "engine": "engine", "analyst": "analyst", "desk": "desk"}

// load reads the compose file as docker compose does: schema, interpolation and consistency (dependencies, volumes).
func load(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../docker-compose.yml"}, cli.WithConsistency(true), cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestEveryRoleIsAService(t *testing.T) {
	project := load(t)
	for name, command := range roles {
		service, err := project.GetService(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := strings.Join(service.Command, " "); got != command {
			t.Errorf("%s runs %q, want %q", name, got, command)
		}
		if !service.ReadOnly || !slices.Equal(service.CapDrop, []string{"ALL"}) {
			t.Errorf("%s can write to its image or keeps capabilities", name)
		}
	}
}

// A service that is waited for must be able to say that it is well; one that ends must be waited for to its end.
func TestDependenciesCanBeMet(t *testing.T) {
	project := load(t)
	for name, service := range project.Services {
		for other, dependency := range service.DependsOn {
			target := project.Services[other]
			healthy := target.HealthCheck != nil && !target.HealthCheck.Disable && len(target.HealthCheck.Test) > 0
			once := target.Restart == types.RestartPolicyNo
			switch {
			case dependency.Condition == types.ServiceConditionHealthy && healthy && !once:
			case dependency.Condition == types.ServiceConditionCompletedSuccessfully && once:
			default:
				t.Errorf("%s waits for %s to be %s, which it cannot show", name, other, dependency.Condition)
			}
		}
		if service.Restart != types.RestartPolicyNo && (service.HealthCheck == nil || service.HealthCheck.Disable) {
			t.Errorf("%s has no health check", name)
		}
	}
	for _, name := range []string{"engine", "analyst", "desk"} {
		if _, ok := project.Services[name].DependsOn["topics"]; !ok {
			t.Errorf("%s starts before its topics exist", name)
		}
	}
}

func TestNothingIsPublishedBeyondLoopback(t *testing.T) {
	ports := 0
	for name, service := range load(t).Services {
		for _, port := range service.Ports {
			ports++
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %s on %q", name, port.Published, port.HostIP)
			}
		}
	}
	if ports == 0 {
		t.Error("nothing is published at all: nobody could look in")
	}
}

func TestStateOutlivesItsContainer(t *testing.T) {
	project := load(t)
	for name, path := range map[string]string{"kafka": "/var/lib/kafka/data", "redis": "/data"} {
		held := slices.ContainsFunc(project.Services[name].Volumes, func(v types.ServiceVolumeConfig) bool {
			return v.Type == types.VolumeTypeVolume && v.Target == path
		})
		if !held {
			t.Errorf("%s keeps %s in its container", name, path)
		}
	}
	if got := *project.Services["kafka"].Environment["KAFKA_LOG_DIRS"]; got != "/var/lib/kafka/data" {
		t.Errorf("Kafka writes to %s, not to its volume", got)
	}
	if redis := strings.Join(project.Services["redis"].Command, " "); !strings.Contains(redis, "--maxmemory-policy noeviction") ||
		!strings.Contains(redis, "--appendonly yes") {
		t.Errorf("Redis may forget: %s", redis)
	}
}

// A setting that leadline does not read would be silently without effect.
func TestSettingsAreOnesThatLeadlineReads(t *testing.T) {
	known := map[string]config.Setting{}
	for _, s := range config.Settings() {
		known[s.Env] = s
	}
	project := load(t)
	for name := range roles {
		environment := project.Services[name].Environment
		for variable, value := range environment {
			setting, ok := known[variable]
			if !ok {
				t.Errorf("%s sets %s, which leadline does not read", name, variable)
			} else if setting.Secret && value != nil && *value != "" {
				t.Errorf("%s gives %s a value in the file", name, variable)
			}
		}
		for _, needed := range []string{"LEADLINE_KAFKA_BROKERS", "LEADLINE_REGISTRY_URL", "LEADLINE_REDIS_ADDRS"} {
			if environment[needed] == nil {
				t.Errorf("%s does not set %s: it would look on its own loopback", name, needed)
			}
		}
	}
}

// What the manuals tell a reader to set must exist.
func TestManualsNameSettingsThatExist(t *testing.T) {
	known := map[string]bool{config.FileEnv: true, "LEADLINE_TEST_REDIS": true}
	for _, s := range config.Settings() {
		known[s.Env] = true
	}
	for _, name := range []string{"../README.md", "README.md", "local/servers", "clients/python/leadline.py", "clients/node/leadline.mjs",
		"verify/crosssell.py", "../Makefile"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, variable := range regexp.MustCompile(`LEADLINE_[A-Z_]*[A-Z]`).FindAllString(string(text), -1) {
			if !known[variable] {
				t.Errorf("%s names %s, which leadline does not read", name, variable)
			}
		}
	}
}

// The images of other people are pinned, ours is built from the Dockerfile here.
func TestImages(t *testing.T) {
	for name, service := range load(t).Services {
		if _, ours := roles[name]; ours {
			if service.Build == nil || !strings.HasSuffix(service.Build.Dockerfile, "deploy/Dockerfile") {
				t.Errorf("%s is not built from deploy/Dockerfile", name)
			}
		} else if !regexp.MustCompile(`:\d+\.\d+\.\d+`).MatchString(service.Image) {
			t.Errorf("%s: image %s is not pinned to a version", name, service.Image)
		}
	}
}

func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	stages := regexp.MustCompile(`(?m)^FROM (\S+)`).FindAllStringSubmatch(string(text), -1)
	if len(stages) < 2 || stages[len(stages)-1][1] != "scratch" {
		t.Errorf("the image holds more than it needs: stages %v", stages)
	}
	_, last, _ := strings.Cut(string(text), "FROM scratch")
	if !regexp.MustCompile(`(?m)^USER [1-9]\d*:[1-9]\d*$`).MatchString(last) {
		t.Error("the process would run as root, or as a name that the image does not know")
	}
	module, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	language := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(module))[1]
	if builder := stages[0][1]; builder != "golang:"+language+"-alpine" {
		t.Errorf("built with %s, go.mod wants Go %s", builder, language)
	}
	ignored, err := os.ReadFile("../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^COPY (\w[^\n]*) \S+$`).FindAllStringSubmatch(string(text), -1) {
		for path := range strings.FieldsSeq(m[1]) {
			if _, err := os.Stat("../" + path); err != nil {
				t.Errorf("COPY %s: %v", path, err)
			}
			if !strings.Contains(string(ignored), "\n!"+path+"\n") {
				t.Errorf("COPY %s: .dockerignore keeps it out", path)
			}
		}
	}
}
