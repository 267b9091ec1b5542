//go:build tools

// Package tools names the program that this module exists to build. `go install …@version` refuses it,
// because its own module replaces dependencies; go.mod here repeats those lines, but for the one of capnproto,
// whose pinned version needs a module that not every proxy serves.
package tools

import _ "github.com/thanos-io/thanos/cmd/thanos"
