// What count.c does, in Go: its compiler makes modules of preview 1.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Writes a line about what it reads.
func count(name string, from io.Reader, to io.Writer) error {
	text, err := io.ReadAll(bufio.NewReader(from))
	if err != nil {
		return err
	}
	lines, words := strings.Count(string(text), "\n"), len(strings.Fields(string(text)))
	_, err = fmt.Fprintf(to, "%s: %d lines, %d words, %d bytes\n", name, lines, words, len(text))
	return err
}

func complain(what string, err error) {
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("no such file")
	}
	fmt.Fprintf(os.Stderr, "count: %s: %v\n", what, err)
}

// Whether all of the files are there.
func countAll(folder string, names []string) (bool, error) {
	if err := os.MkdirAll(filepath.Join(folder, "reports"), 0o777); err != nil {
		return false, err
	}
	path := filepath.Join(folder, "reports", "count.txt")
	report, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return false, err
	}
	defer report.Close()
	complete := true
	for _, name := range names {
		file, err := os.Open(filepath.Join(folder, name))
		if err != nil {
			complain(name, err)
			complete = false
			continue
		}
		err = count(name, file, io.MultiWriter(os.Stdout, report))
		file.Close()
		if err != nil {
			return false, err
		}
	}
	written, err := os.Stat(path)
	if err != nil {
		return false, err
	}
	fmt.Printf("report: %d bytes\n", written.Size())
	entries, err := os.ReadDir(folder)
	if err != nil {
		return false, err
	}
	fmt.Print("folder:")
	for _, entry := range entries {
		fmt.Print(" ", entry.Name())
	}
	fmt.Println()
	return complete, nil
}

func main() {
	if len(os.Args) == 1 {
		if err := count("-", os.Stdin, os.Stdout); err != nil {
			complain("-", err)
			os.Exit(1)
		}
		return
	}
	folder, found := os.LookupEnv("FOLDER")
	if !found {
		complain("FOLDER", errors.New("not set"))
		os.Exit(1)
	}
	complete, err := countAll(folder, os.Args[1:])
	if err != nil {
		complain(folder, err)
	}
	if err != nil || !complete {
		os.Exit(1)
	}
}
