use super::super::sketch;
use super::super::sketch::{SHORTEST, hash};
use super::*;

/// Names and kinds; and that the sketch saw them all.
fn defined(language: Language, source: &str) -> Vec<String> {
    let outline = outline(language, source.as_bytes());
    let sketch: Vec<u32> = sketch(language, source.as_bytes()).hashes().collect();
    for definition in &outline.definitions {
        let seen = sketch.contains(&hash(definition.name.as_bytes()));
        assert!(seen || definition.name.len() < SHORTEST, "the sketch misses {definition:?}");
    }
    let show = |d: &Defined| format!("{}:{} {:?}", d.line, d.name, d.kind);
    outline.definitions.iter().map(show).collect()
}

fn imported(language: Language, source: &str) -> Vec<String> {
    let show =
        |w: &Written| format!("{}:{} {}", w.line, w.text, w.names.join(",")).trim().to_owned();
    outline(language, source.as_bytes()).imports.iter().map(show).collect()
}

#[test]
fn python() {
    let source = "\
import os.path, app.db as db
from . import views
from ..core import (a, b as c)
from .m import *
LIMIT = 3
name: str = 'x'
class Router(Base):
    timeout = 5
    async def route(self):
        from app.lazy import thing
        inner = 1
        def helper(): pass
@decorated
def main(): pass
if True:
    import conditional
";
    assert_eq!(
        defined(Language::Python, source),
        [
            "5:LIMIT Constant",
            "6:name Constant",
            "7:Router Type",
            "8:timeout Constant",
            "9:route Method",
            "14:main Function"
        ]
    );
    assert_eq!(
        imported(Language::Python, source),
        [
            "1:os.path",
            "1:app.db",
            "2:. views",
            "3:..core a,b",
            "4:.m",
            "10:app.lazy thing",
            "16:conditional"
        ]
    );
}

#[test]
fn rust() {
    let source = "\
mod a;
#[path = \"other.rs\"]
pub mod b;
use crate::x::{self, y::Z, w as v, q::*};
pub use super::up::Thing;
pub(crate) struct Point { x: f64 }
enum Kind { A }
trait Shape { fn area(&self) -> f64; const SIDES: u32; }
impl Shape for Point { fn area(&self) -> f64 { crate::math::area(1.0) } }
const fn max() -> u32 { 3 }
static mut COUNT: u32 = 0;
macro_rules! say { () => {} }
type Alias = std::io::Result<()>;
pub async unsafe fn run(other: other_crate::Config) { fn inner() {} let x = 1; }
mod tests {
    mod deep;
    use super::max;
    fn helped() {}
}
";
    assert_eq!(
        defined(Language::Rust, source),
        [
            "6:Point Type",
            "7:Kind Type",
            "8:Shape Type",
            "8:area Method",
            "8:SIDES Constant",
            "9:area Method",
            "10:max Function",
            "11:COUNT Constant",
            "12:say Macro",
            "13:Alias Type",
            "14:run Function",
            "18:helped Function"
        ]
    );
    assert_eq!(
        imported(Language::Rust, source),
        [
            "1:mod a",
            "3:mod b other.rs",
            "4:crate::x",
            "4:crate::x::y::Z",
            "4:crate::x::w",
            "4:crate::x::q::*",
            "5:super::up::Thing pub",
            "9:crate::math::area",
            "14:other_crate::Config",
            "16:mod tests::deep",
            "17:self::max"
        ]
    );
}

#[test]
fn scripts() {
    let source = "\
import def, { a, b as c } from './one'
import type { T } from '../types'
export * from './two'
export { x } from './three'
const old = require('./four'), { y } = require('five')
export const handler = async () => { const inner = await import('./six') }
export default class Router extends Base {
  static async route(x) { function deep() {} }
  #hidden() {}
  onClick = () => {}
}
function main() {}
let counter = 0
";
    for language in [Language::JavaScript, Language::TypeScript, Language::Tsx] {
        let source = if language == Language::JavaScript {
            source.replace("import type { T }", "import { T }")
        } else {
            source.to_owned()
        };
        assert_eq!(
            defined(language, &source),
            [
                "5:old Constant",
                "6:handler Function",
                "7:Router Type",
                "8:route Method",
                "10:onClick Method",
                "12:main Function",
                "13:counter Constant"
            ],
            "{language:?}"
        );
        assert_eq!(
            imported(language, &source),
            [
                "1:./one a,b",
                "2:../types T",
                "3:./two *,export",
                "4:./three x,export",
                "5:./four",
                "5:five",
                "6:./six"
            ],
            "{language:?}"
        );
    }
    let source = "\
import fs = require('./legacy')
export interface Options { name: string
  run(): void }
export type Id = string | number
enum Color { Red }
declare function ambient(x: number): void
abstract class Shape {
  abstract area(): number; private size: number = 1 }
namespace Inner { export function nested() {} }
";
    assert_eq!(
        defined(Language::TypeScript, source),
        [
            "2:Options Type",
            "3:run Method",
            "4:Id Type",
            "5:Color Type",
            "6:ambient Function",
            "7:Shape Type",
            "8:area Method",
            "9:nested Function"
        ]
    );
    assert_eq!(imported(Language::TypeScript, source), ["1:./legacy"]);
}

#[test]
fn go() {
    let source = "\
package main

import (
\t\"fmt\"
\talias \"example.org/app/store\"
\t_ \"example.org/app/side\"
)

type Server struct{ db store.DB }
type (
\tHandler func(alias.Request)
)

const (
\tFirst = iota
\tSecond
)

var Default, Other = New(), 2

func New() *Server { x := alias.Open(); var local = 1; return nil }
func (s *Server) Serve(c alias.Conn) error { return nil }
";
    assert_eq!(
        defined(Language::Go, source),
        [
            "9:Server Type",
            "11:Handler Type",
            "15:First Constant",
            "16:Second Constant",
            "19:Default Constant",
            "19:Other Constant",
            "21:New Function",
            "22:Serve Method"
        ]
    );
    assert_eq!(
        imported(Language::Go, source),
        ["4:fmt", "5:example.org/app/store Conn,Open,Request", "6:example.org/app/side"]
    );
}

#[test]
fn java() {
    let source = "\
package org.app;
import org.app.db.Store;
import static org.app.Limits.MAX;
import org.app.all.*;
public class Server<T> extends Base {
    public static final int LIMIT = 3;
    private String name = \"x\";
    Server() {}
    @Override
    public List<String> serve(int x) { return new Thing().run(x); }
    void plain() {}
    interface Handler { void handle(); }
    enum Color { RED }
}
record Point(int x) {}
";
    assert_eq!(
        defined(Language::Java, source),
        [
            "5:Server Type",
            "6:LIMIT Constant",
            "10:serve Method",
            "11:plain Method",
            "12:Handler Type",
            "12:handle Method",
            "13:Color Type",
            "15:Point Type"
        ]
    );
    assert_eq!(
        imported(Language::Java, source),
        ["2:org.app.db.Store", "3:org.app.Limits.MAX static", "4:org.app.all.*"]
    );
}

#[test]
fn c_and_cpp() {
    let source = "\
#include <stdio.h>
#include \"net/server.h\"
#define LIMIT 3
#define MAX(a, b) ((a) > (b) ? (a) : (b))
typedef struct { int x; } point_t;
struct server { int port; };
enum color { RED, GREEN = 2 };
static const char *names[] = { \"a\" };
int counter = 0;
static int
serve (struct server *s)
{
  int local = 1;
  return helper (s);
}
char *duplicate(const char *text) { return 0; }
void declared(int);
";
    for language in [Language::C, Language::Cpp] {
        assert_eq!(
            defined(language, source),
            [
                "3:LIMIT Macro",
                "4:MAX Macro",
                "5:point_t Type",
                "6:server Type",
                "7:color Type",
                "7:RED Constant",
                "7:GREEN Constant",
                "8:names Constant",
                "9:counter Constant",
                "11:serve Function",
                "16:duplicate Function",
                "17:declared Function"
            ],
            "{language:?}"
        );
        assert_eq!(imported(language, source), ["1:<stdio.h>", "2:\"net/server.h\""]);
    }
    let source = "\
namespace net {
class Server : public Base {
 public:
  Server();
  virtual ~Server() override;
  template <typename T> void send(const T& what);
  int port() const { return port_; }
};
using Alias = std::vector<int>;
}
void net::Server::send(int x) { if (x) { call(); } }
template <class T>
std::unique_ptr<T> make_thing() { return nullptr; }
";
    let found = defined(Language::Cpp, source);
    for expected in [
        "2:Server Type",
        "6:send Method",
        "7:port Method",
        "9:Alias Type",
        "11:send Method",
        "13:make_thing Function",
    ] {
        assert!(found.iter().any(|f| f == expected), "{expected}: {found:?}");
    }
}

const ALL: [Language; 9] = [
    Language::Python,
    Language::Rust,
    Language::JavaScript,
    Language::TypeScript,
    Language::Tsx,
    Language::Go,
    Language::Java,
    Language::C,
    Language::Cpp,
];

#[test]
fn nothing_makes_it_panic_or_overflow() {
    let deep = 2_000;
    let sources: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"\xff\xfe\xfd class \xff def \xffx(".to_vec(),
        "(".repeat(deep).into_bytes(),
        format!("{}1{}", "[".repeat(deep), "]".repeat(deep)).into_bytes(),
        "{\n".repeat(deep).into_bytes(),
        "fn f() {\n".repeat(deep).into_bytes(),
        "a::{\n".repeat(deep).into_bytes(),
        format!("use {}x;", "a::{".repeat(deep)).into_bytes(),
        format!("int {}x;", "*\n".repeat(deep)).into_bytes(),
        "if (x) \n".repeat(deep).into_bytes(),
        "class A { \n".repeat(deep).into_bytes(),
        "x = `${\n".repeat(deep).into_bytes(),
        "#include\n#define\nimport\nfrom\nuse\nmod\nfunc\n".repeat(100).into_bytes(),
        "é日本語 ".repeat(50).into_bytes(),
    ];
    for language in ALL {
        for source in &sources {
            assert!(sketch(language, source).as_bytes().len() <= 4 * source.len());
            assert!(outline(language, source).definitions.len() <= source.len());
        }
    }
}

#[test]
fn generated_binary_and_huge_files_are_passed_over() {
    let minified = "function a(){};".repeat(1_000);
    let binary = b"function a() {}\n\0".to_vec();
    let huge = "function a() {}\n".repeat(100_000).into_bytes();
    for source in [minified.as_bytes(), &binary, &huge] {
        assert_eq!(outline(Language::JavaScript, source), Outline::default());
        assert_eq!(sketch(Language::JavaScript, source), sketch::Sketch::default());
    }
}
