// Command hello greets, and tells what it runs on.
package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	name := "world"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	fmt.Printf("Hello, %s! This is %s/%s.\n", name, runtime.GOOS, runtime.GOARCH)
}
