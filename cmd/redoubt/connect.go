package main

import (
	"os"

	"redoubt.dev/redoubt/internal/api"
)

// connect makes the client every command of the read and write side uses.
func connect() (*api.Client, error) {
	cfg, err := api.LoadConfig(os.Getenv)
	if err != nil {
		return nil, err
	}
	cfg.Version = version
	return api.NewClient(cfg)
}
