package docker

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/storage"
)

// maxRecord bounds what is read of one of the engine's own files.
const maxRecord = 8 << 20

// onDisk reads a container as the engine recorded it, in the shape of an
// inspection that found it not running. The engine holds a container's lock
// while it starts it and lets an inspection wait until then, too late for who
// wants to know before the first process; its files are there before its
// create event.
func onDisk(root, id string) (*container.InspectResponse, error) {
	var rec struct {
		ID     string
		Name   string
		Image  string
		Driver string
		Config *container.Config
	}
	dir := filepath.Join(root, "containers", id)
	if err := readJSON(filepath.Join(dir, "config.v2.json"), &rec); err != nil {
		return nil, err
	}
	if rec.ID != id || rec.Config == nil {
		return nil, fmt.Errorf("read record of container %s: it is about another, %q", id, clip(rec.ID, 64))
	}
	var host struct{ CgroupParent string }
	if err := readJSON(filepath.Join(dir, "hostconfig.json"), &host); err != nil {
		return nil, err
	}
	c := &container.InspectResponse{ID: id, Name: rec.Name, Image: rec.Image, Config: rec.Config, HostConfig: &container.HostConfig{}}
	c.HostConfig.CgroupParent = host.CgroupParent
	if rec.Driver == "overlay2" {
		layers, err := overlay2(root, id)
		if err != nil {
			return nil, err
		}
		c.GraphDriver = &storage.DriverData{Name: rec.Driver, Data: layers}
	}
	return c, nil
}

// overlay2 finds a container's layer directories as inspection names them.
func overlay2(root, id string) (map[string]string, error) {
	mount, err := readText(filepath.Join(root, "image/overlay2/layerdb/mounts", id, "mount-id"))
	if err != nil {
		return nil, err
	}
	if !isName(mount) {
		return nil, fmt.Errorf("read layers of container %s: odd mount id %q", id, clip(mount, 64))
	}
	home := filepath.Join(root, "overlay2")
	lower, err := readText(filepath.Join(home, mount, "lower"))
	if err != nil {
		return nil, err
	}
	var dirs []string
	for short := range strings.SplitSeq(lower, ":") {
		dir, err := os.Readlink(filepath.Join(home, "l", filepath.Base(short)))
		if err != nil {
			return nil, fmt.Errorf("read layers of container %s: %w", id, err)
		}
		dirs = append(dirs, filepath.Join(home, "l", dir))
	}
	return map[string]string{
		"LowerDir":  strings.Join(dirs, ":"),
		"UpperDir":  filepath.Join(home, mount, "diff"),
		"MergedDir": filepath.Join(home, mount, "merged"),
	}, nil
}

func isName(s string) bool {
	return s != "" && s != "." && s != ".." && !strings.ContainsAny(s, "/\x00")
}

func readText(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxRecord))
	return strings.TrimSpace(string(b)), err
}

func readJSON(name string, into any) error {
	text, err := readText(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}
