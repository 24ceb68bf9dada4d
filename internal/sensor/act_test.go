package sensor

import (
	"fmt"
	"os"
	"os/exec"
)

// act is what the test binary does when it is started as `act WHAT ARGS...`.
func act(args []string) int {
	switch args[0] {
	case "nothing":
		return 0
	case "exit":
		return 7
	case "run": // as a parent of its own
		out, err := exec.Command(args[1], args[2:]...).CombinedOutput()
		os.Stdout.Write(out)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		return 0
	}
	return 2
}
