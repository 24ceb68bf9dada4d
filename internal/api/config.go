package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"redoubt.dev/redoubt/internal/fault"
)

// Saved is what `redoubt login` keeps for later calls.
type Saved struct {
	Config
	TokenID string `json:"token_id,omitempty"` // to revoke it at logout
	User    string `json:"user,omitempty"`
}

// LoginFile is where Saved is kept for this user.
func LoginFile(getenv func(string) string) (string, error) {
	dir := getenv("XDG_CONFIG_HOME")
	if dir == "" {
		home := getenv("HOME")
		if home == "" {
			return "", fault.New(fault.Invalid, "neither HOME nor XDG_CONFIG_HOME is set, so there is no place for the login; set REDOUBT_URL and REDOUBT_TOKEN")
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "redoubt", "login.json"), nil
}

// LoadConfig reads REDOUBT_URL, REDOUBT_TOKEN and REDOUBT_CACERT (a file); what
// is not set comes from the login file. A REDOUBT_URL that names another console
// than the login file takes nothing from it: its token is not for others.
func LoadConfig(getenv func(string) string) (Config, error) {
	cfg := Config{URL: getenv("REDOUBT_URL"), Token: getenv("REDOUBT_TOKEN")}
	if name := getenv("REDOUBT_CACERT"); name != "" {
		pem, err := os.ReadFile(name)
		if err != nil {
			return cfg, fault.New(fault.Invalid, "REDOUBT_CACERT: %w", err)
		}
		cfg.CA = string(pem)
	}
	saved, err := loadSaved(getenv, cfg)
	if err != nil {
		return cfg, err
	}
	if cfg.URL == "" || cfg.URL == saved.URL {
		cfg.URL = saved.URL
		if cfg.Token == "" {
			cfg.Token = saved.Token
		}
		if cfg.CA == "" {
			cfg.CA = saved.CA
		}
	}
	if cfg.URL == "" {
		return cfg, fault.New(fault.Invalid, "no console is known; run redoubt login https://HOST:8443, or set REDOUBT_URL, REDOUBT_TOKEN and REDOUBT_CACERT")
	}
	return cfg, nil
}

// loadSaved reads the login file where something is missing from cfg.
func loadSaved(getenv func(string) string, cfg Config) (Saved, error) {
	if cfg.URL != "" && cfg.Token != "" {
		return Saved{}, nil
	}
	name, err := LoginFile(getenv)
	if err != nil {
		return Saved{}, nil // without a home there is no login, and the caller says what to set
	}
	s, err := ReadSaved(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Saved{}, nil
	}
	return s, err
}

// ReadSaved reads a login file; fs.ErrNotExist where there is none.
func ReadSaved(name string) (s Saved, err error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return s, fmt.Errorf("read login: %w", err)
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return s, fault.New(fault.Invalid, "read login: %s: %w; run redoubt login again", name, err)
	}
	return s, nil
}

// WriteSaved writes a login file, mode 0600.
func WriteSaved(name string, s Saved) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("save login: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".login-*") // 0600
	if err != nil {
		return fmt.Errorf("save login: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("save login: %w", err)
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return fmt.Errorf("save login: %w", err)
	}
	return nil
}
