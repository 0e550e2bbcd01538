//! Modules as large as real ones, for benchmarks: what `go` has to compile
//! and link, and nothing that it has to download.

use super::{Module, write};
use crate::random::Random;
use std::fmt::Write;
use std::path::PathBuf;

/// Packages that all mains share.
const SHARED: usize = 8;

/// Functions in each shared package.
const FUNCTIONS: usize = 40;

/// A module with many mains over shared packages, made by [`fleet`].
#[derive(Clone, Debug)]
pub struct Fleet {
    /// The module, `example.com/fleet`.
    pub module: Module,
    mains: usize,
}

impl Fleet {
    /// Returns the import paths of all mains.
    #[must_use]
    pub fn import_paths(&self) -> Vec<String> {
        let paths = (0..self.mains).map(|main| self.module.import_path(&main_dir(main)));
        paths.collect()
    }

    /// Changes a package that one main alone imports. Another `counter` is
    /// another binary.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn edit_leaf(&self, main: usize, counter: u64) {
        let source = format!(
            "package leaf\n\n// Counter changes with every edit.\nconst Counter = {counter}\n"
        );
        let path = format!("{}/leaf/leaf.go", main_dir(main));
        write(&self.module.dir().join(path), source);
    }

    /// Changes the package that everything else imports.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn edit_shared(&self, counter: u64) {
        let source = format!(
            "package root\n\n// Counter changes with every edit.\nvar Counter uint64 = {counter}\n"
        );
        write(&self.module.dir().join("shared/root/root.go"), source);
    }
}

/// Writes a module with `mains` mains in `cmd/app00`, `cmd/app01`, and so on.
/// Each has a leaf package of its own and imports eight shared packages, and
/// through them much of the standard library (net/http, crypto/tls,
/// encoding/json, html/template, go/types), so that a binary has about 15 MB
/// and its link takes a good part of a second.
///
/// # Panics
/// If it cannot be written.
pub fn fleet(dir: impl Into<PathBuf>, mains: usize) -> Fleet {
    let mut module = Module::new(dir, "example.com/fleet");
    for number in 0..SHARED {
        let path = format!("shared/s{number}/s{number}.go");
        module = module.file(&path, shared(number));
    }
    module = module.file("shared/web/web.go", WEB);
    for number in 0..mains {
        let path = format!("{}/main.go", main_dir(number));
        module = module.file(&path, main(number));
    }
    let fleet = Fleet { module, mains };
    fleet.edit_shared(0);
    for number in 0..mains {
        fleet.edit_leaf(number, 0);
    }
    fleet
}

fn main_dir(number: usize) -> String {
    format!("cmd/app{number:02}")
}

const WEB: &str = r#"package web

import (
	"crypto/tls"
	"encoding/json"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"html/template"
	"net/http"
)

// Check type-checks one file.
func Check(source string) error {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "x.go", source, 0)
	if err != nil {
		return err
	}
	config := types.Config{Importer: importer.Default()}
	_, err = config.Check("x", files, []*ast.File{file}, nil)
	return err
}

// Serve answers every request with a page about value.
func Serve(address string, value any) error {
	page := template.Must(template.New("page").Parse("<p>{{.}}</p>"))
	server := http.Server{
		Addr:      address,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			text, err := json.Marshal(value)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_ = page.Execute(w, string(text))
		}),
	}
	return server.ListenAndServe()
}
"#;

/// Source of a shared package: functions that differ, so that none is folded
/// into another.
fn shared(number: usize) -> String {
    let mut random = Random::named(&format!("shared {number}"));
    let mut out = format!("package s{number}\n\nimport \"example.com/fleet/shared/root\"\n");
    for function in 0..FUNCTIONS {
        let _ = write!(
            out,
            "\n// F{function} mixes x.\nfunc F{function}(x uint64) uint64 {{\n\
             \tfor i := uint64(0); i < {}; i++ {{\n\
             \t\tx = (x ^ root.Counter) * {}\n\
             \t\tif x%{} == 0 {{\n\t\t\tx += {}\n\t\t}}\n\
             \t}}\n\treturn x\n}}\n",
            3 + random.below(90),
            random.next() | 1,
            2 + random.below(97),
            random.next(),
        );
    }
    out.push_str("\n// All calls every function.\nfunc All(x uint64) uint64 {\n");
    for function in 0..FUNCTIONS {
        let _ = writeln!(out, "\tx = F{function}(x)");
    }
    out.push_str("\treturn x\n}\n");
    out
}

fn main(number: usize) -> String {
    let dir = main_dir(number);
    let mut imports = format!("\t\"example.com/fleet/{dir}/leaf\"\n");
    let mut calls = String::new();
    for shared in 0..SHARED {
        let _ = writeln!(imports, "\t\"example.com/fleet/shared/s{shared}\"");
        let _ = writeln!(calls, "\tx = s{shared}.All(x)");
    }
    imports.push_str("\t\"example.com/fleet/shared/web\"\n");
    format!(
        "package main\n\nimport (\n\t\"log\"\n\n{imports})\n\nfunc main() {{\n\
         \tvar x uint64 = leaf.Counter\n{calls}\
         \tif err := web.Check(\"package x\"); err != nil {{\n\t\tlog.Fatal(err)\n\t}}\n\
         \tlog.Fatal(web.Serve(\"localhost:8080\", x))\n}}\n"
    )
}

/// Writes the module `example.com/big`, whose one main is a binary of about
/// `megabytes` × 1,000,000 bytes. Nearly all of it is an embedded table, the
/// same on every run, of text that gzip brings to 38 % at level 1 and to 34 %
/// at level 6, as Go's own code. It links in little more than the time to
/// write it: this is for layers, not for the cost of linking.
///
/// # Panics
/// If it cannot be written.
pub fn solo_big(dir: impl Into<PathBuf>, megabytes: usize) -> Module {
    let source = "package main\n\nimport (\n\t_ \"embed\"\n\t\"os\"\n)\n\n\
                  //go:embed table.txt\nvar table []byte\n\n\
                  func main() {\n\t_, _ = os.Stdout.Write(table[:80])\n}\n";
    let table = Random::named("solo").text(megabytes * 1_000_000);
    Module::new(dir, "example.com/big").file("main.go", source).file("table.txt", table)
}
