//go:build tools

// Package tools names the program that this module exists to build. `go install …@version` refuses it,
// because its own module replaces dependencies; go.mod here repeats those lines.
package tools

import _ "github.com/cortexproject/cortex/cmd/cortex"
