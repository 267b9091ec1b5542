//go:build tools

// Package tools names the program that this module exists to build. `go install …@version` refuses it,
// because its own module replaces a dependency; go.mod here repeats that line.
package tools

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
