//! Files drawn from the tables: mostly right, now and then wrong. Nothing is drawn where the choices have run out, so
//! that fewer choices make a smaller file.

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::fields::{Field, MANIFEST, STEP, Shape, Table};

pub(super) fn file(choices: &[u16]) -> Value {
    let mut draw = Draw { choices: choices.iter().copied(), depth: 0, right: usize::MAX };
    // Some files have nothing wrong, some much.
    draw.right = [usize::MAX, usize::MAX, 200, 60, 20][draw.pick(5)];
    draw.table(&MANIFEST)
}

struct Draw<I> {
    choices: I,
    /// How many tables are around.
    depth: usize,
    /// Of so many values one is wrong.
    right: usize,
}

impl<I: Iterator<Item = u16>> Draw<I> {
    /// A number below `bound`; 0 is the plainest choice.
    fn pick(&mut self, bound: usize) -> usize {
        self.choices.next().map_or(0, |choice| usize::from(choice) % bound)
    }

    fn one_of(&mut self, values: &[Value]) -> Value {
        values[self.pick(values.len())].clone()
    }

    /// Whether the next is to be wrong.
    fn errs(&mut self) -> bool {
        self.right < usize::MAX && self.pick(self.right) == self.right - 1
    }

    fn table(&mut self, table: &'static Table) -> Value {
        self.depth += 1;
        let mut keys = Map::new();
        // A step is one thing, seldom none or both.
        let uses = self.pick(4) == 3;
        for field in table.fields {
            let takes = match field.key {
                "run" if table.name == STEP.name => !uses ^ self.errs(),
                "uses" if table.name == STEP.name => uses ^ self.errs(),
                "with" if table.name == STEP.name && !uses => self.errs(),
                _ if field.spelling_of.is_some_and(|other| keys.contains_key(other)) => self.errs(),
                _ if field.required => !self.errs(),
                _ => self.pick(1 + self.depth) == 1,
            };
            if takes {
                keys.insert(field.key.to_owned(), self.field(field));
            }
        }
        if self.errs() {
            keys.insert("unknown".to_owned(), self.wrong());
        }
        self.depth -= 1;
        Value::Object(keys)
    }

    fn field(&mut self, field: &'static Field) -> Value {
        if !field.required && self.pick(20) == 19 { Value::Null } else { self.shape(&field.shape) }
    }

    fn shape(&mut self, shape: &'static Shape) -> Value {
        if self.errs() {
            return self.wrong();
        }
        match shape {
            Shape::Text => {
                self.one_of(&[json!("x"), json!(""), json!(3), json!(1.5), json!(true), json!("{{ .x }}")])
            }
            Shape::FilledText => self.one_of(&[json!("x"), json!(" x "), json!(3), json!(false)]),
            Shape::Bool => self.one_of(&[json!(true), json!(false), json!("true"), json!("false")]),
            Shape::Whole { .. } => self.one_of(&[json!(1), json!(7), json!("7"), json!("+02")]),
            Shape::Decimal { .. } => self.one_of(&[json!(1), json!(2.5), json!("1.5"), json!("2e1")]),
            Shape::Number => self.one_of(&[json!(1), json!(-2.5), json!(".5"), json!("-2e1")]),
            Shape::Duration => self.one_of(&[json!("90s"), json!(0), json!("1h30m"), json!(0.5), json!("0")]),
            Shape::Limit => self.one_of(&[json!("90s"), json!(5), json!("1h30m"), json!(0.5), json!("1.5")]),
            Shape::Cpu => self.one_of(&[json!(2), json!(0.5), json!("500m"), json!("0.25")]),
            Shape::Bytes => self.one_of(&[json!(512), json!("1GB"), json!("1.5 Mi"), json!("64B")]),
            Shape::Range => self.one_of(&[
                json!("^1.0.0"),
                json!("1.0.0"),
                json!("[1.0.0...2.0.0)"),
                json!(">1.0.0, <2.0.0"),
                json!(""),
            ]),
            Shape::Version => self.one_of(&[json!("1.0.0"), json!("0.10.2")]),
            Shape::Name(_) => self.one_of(&[json!("build"), json!("a"), json!("b_1")]),
            Shape::Pattern(pattern) => {
                let texts = ["A=1", "0 4 * * *", "a/b:c", "./a:main"];
                let pattern = Regex::new(pattern).unwrap();
                let fitting: Vec<Value> =
                    texts.into_iter().filter(|text| pattern.is_match(text)).map(Value::from).collect();
                self.one_of(&fitting)
            }
            Shape::OutputSource => self.one_of(&[
                json!("from_stdout"),
                json!("from_file:x"),
                json!("from_env:X"),
                json!("{{ .x }}"),
                json!(1),
            ]),
            Shape::OneOf(words) => json!(words[self.pick(words.len())]),
            Shape::List(entry) => self.list(entry),
            Shape::OneOrMany(entry) => {
                if self.pick(2) == 0 {
                    self.list(entry)
                } else {
                    self.shape(entry)
                }
            }
            Shape::Map(_, value) => {
                let names = ["build", "a", "lib", "b_1", "A", "a-b", "_a", "1a", "a b", ""];
                let mut map = Map::new();
                for _ in 0..self.pick(4) {
                    // The last ones are good names of nothing.
                    let names = if self.errs() { &names[..] } else { &names[..4] };
                    let name = names[self.pick(names.len())].to_owned();
                    let value = if self.errs() { Value::Null } else { self.shape(value) };
                    map.insert(name, value);
                }
                Value::Object(map)
            }
            Shape::Table(table) => self.table(table),
            Shape::AnyOf(shapes) => {
                let shape = &shapes[self.pick(shapes.len())];
                self.shape(shape)
            }
            Shape::Nothing => self.one_of(&[json!(null), json!({})]),
            Shape::JsonSchema => self.one_of(&[json!("schema.json"), json!({}), json!({"type": "object"})]),
            Shape::Any => self.wrong(),
        }
    }

    fn list(&mut self, entry: &'static Shape) -> Value {
        let most = if self.depth > 4 { 2 } else { 4 };
        (0..self.pick(most)).map(|_| self.shape(entry)).collect()
    }

    /// What seldom fits.
    fn wrong(&mut self) -> Value {
        self.one_of(&[
            json!(null),
            json!(true),
            json!(0),
            json!(-1),
            json!(1.5),
            json!(0.25),
            json!(4_294_967_296_u64),
            json!(""),
            json!(" "),
            json!("x"),
            json!("0"),
            json!("0s"),
            json!("-1"),
            json!("1.0.0"),
            json!("1.02.0"),
            json!("from_file"),
            json!("none"),
            json!("schedule"),
            json!("A B=1"),
            json!([]),
            json!([""]),
            json!(["x"]),
            json!([null]),
            json!([[]]),
            json!({}),
            json!({"a": "b"}),
            json!({"x": null}),
            json!({"run": "x"}),
            json!({"cpu": 1, "cpu_limit": 1}),
            json!({"cpu": null, "cpu_limit": 1}),
        ])
    }
}
