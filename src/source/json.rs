//! JSON texts of files, written and read. JSON has no numbers that are not finite: `serde_json` writes `null` instead, which cannot be read
//! back as a number. Here such a value is an error that names its place. A value that can be undefined has the type `Option`. If an object
//! has a key twice, `serde_json` keeps the last value; here it is an error ([`read`]).

use std::fmt::{self, Display};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{self, Serialize};
use serde_json::{Map, Value};

use crate::screen;

/// Why a value is not written.
#[derive(Debug, Clone, PartialEq)]
pub enum Refused {
    /// The path of the value, such as `networks[0].test.loss`, and the value.
    NotFinite {
        place: String,
        value: f64,
    },
    Other(String),
}

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::NotFinite { place, value } => write!(f, "`{place}` is {value}, which JSON cannot hold"),
            Refused::Other(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Refused {}

impl ser::Error for Refused {
    fn custom<T: Display>(why: T) -> Refused {
        Refused::Other(why.to_string())
    }
}

/// The value on one line, without a line end.
pub fn line<T: Serialize + ?Sized>(value: &T) -> Result<String, Refused> {
    finite(value)?;
    serde_json::to_string(value).map(|t| screen::json(&t)).map_err(|e| Refused::Other(e.to_string()))
}

/// The value as indented text, with a line end.
pub fn text<T: Serialize + ?Sized>(value: &T) -> Result<String, Refused> {
    finite(value)?;
    serde_json::to_string_pretty(value).map(|t| screen::json(&t) + "\n").map_err(|e| Refused::Other(e.to_string()))
}

/// Refuses a value that contains a number that is not finite.
pub fn finite<T: Serialize + ?Sized>(value: &T) -> Result<(), Refused> {
    value.serialize(Look { place: String::new() })
}

/// Reads a JSON text; a key that an object has twice is an error.
pub fn read(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str::<Once>(text).map(|v| v.0)
}

/// A value in which no object has a key twice.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Once, D::Error> {
        from.deserialize_any(Any).map(Once)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(v.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Once(v)) = from.next_element()? {
            list.push(v);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = from.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key `{key}` is given twice")));
            }
            let Once(value) = from.next_value()?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// Visits all parts of a value; `place` is the path of the current part.
struct Look {
    place: String,
}

impl Look {
    fn within(&self, part: impl Display) -> Look {
        Look { place: format!("{}{part}", self.place) }
    }

    fn field(&self, name: &str) -> Look {
        let dot = if self.place.is_empty() { "" } else { "." };
        self.within(format_args!("{dot}{name}"))
    }
}

macro_rules! fine {
    ($($name:ident: $ty:ty),*) => { $(fn $name(self, _: $ty) -> Result<(), Refused> { Ok(()) })* };
}

impl ser::Serializer for Look {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Parts;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Parts;

    fine!(serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_char: char,
        serialize_str: &str, serialize_bytes: &[u8], serialize_unit_struct: &'static str);

    fn serialize_f32(self, v: f32) -> Result<(), Refused> {
        self.serialize_f64(f64::from(v))
    }

    fn serialize_f64(self, value: f64) -> Result<(), Refused> {
        if value.is_finite() { Ok(()) } else { Err(Refused::NotFinite { place: self.place, value }) }
    }

    fn serialize_none(self) -> Result<(), Refused> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Refused> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Refused> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Refused> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Refused> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        value.serialize(self.field(variant))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts, Refused> {
        Ok(Parts { of: self, next: 0, key: String::new() })
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts, Refused> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts, Refused> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, Refused> {
        self.field(variant).serialize_seq(None)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts, Refused> {
        self.serialize_seq(None)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts, Refused> {
        self.serialize_seq(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, Refused> {
        self.field(variant).serialize_seq(None)
    }
}

/// The parts of a list or of an object.
struct Parts {
    of: Look,
    next: usize,
    key: String,
}

impl Parts {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.next += 1;
        value.serialize(self.of.within(format_args!("[{}]", self.next - 1)))
    }

    fn named<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Refused> {
        value.serialize(self.of.field(name))
    }
}

macro_rules! lists {
    ($($kind:ident $add:ident),*) => { $(impl ser::$kind for Parts {
        type Ok = ();
        type Error = Refused;
        fn $add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
            self.element(value)
        }
        fn end(self) -> Result<(), Refused> {
            Ok(())
        }
    })* };
}
lists!(SerializeSeq serialize_element, SerializeTuple serialize_element, SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field);

macro_rules! objects {
    ($($kind:ident),*) => { $(impl ser::$kind for Parts {
        type Ok = ();
        type Error = Refused;
        fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Refused> {
            self.named(name, value)
        }
        fn end(self) -> Result<(), Refused> {
            Ok(())
        }
    })* };
}
objects!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Parts {
    type Ok = ();
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        let key = serde_json::to_value(key).map_err(|e| Refused::Other(e.to_string()))?;
        self.key = key.as_str().map_or_else(|| key.to_string(), str::to_string);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        let key = std::mem::take(&mut self.key);
        self.named(&key, value)
    }

    fn end(self) -> Result<(), Refused> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::*;

    #[derive(Serialize)]
    enum Kind {
        Plain,
        One(f64),
        Two(f64, f32),
        Named { at: f64 },
    }

    #[derive(Serialize)]
    struct Part {
        name: &'static str,
        loss: Option<f64>,
        rows: Vec<Vec<f64>>,
        by: BTreeMap<String, f64>,
        kind: Kind,
    }

    fn part(rows: Vec<Vec<f64>>) -> Part {
        Part { name: "a", loss: None, rows, by: BTreeMap::new(), kind: Kind::Plain }
    }

    fn place(value: &Part) -> String {
        match text(value) {
            Err(Refused::NotFinite { place, .. }) => place,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_finite_is_refused_with_its_place() {
        assert_eq!(place(&part(vec![vec![1.0], vec![2.0, f64::NAN]])), "rows[1][1]");
        assert_eq!(place(&Part { loss: Some(f64::INFINITY), ..part(vec![]) }), "loss");
        assert_eq!(place(&Part { by: BTreeMap::from([("x y".into(), f64::NEG_INFINITY)]), ..part(vec![]) }), "by.x y");
        for (kind, at) in [
            (Kind::One(f64::NAN), "kind.One"),
            (Kind::Two(0.0, f32::INFINITY), "kind.Two[1]"),
            (Kind::Named { at: f64::NAN }, "kind.Named.at"),
        ] {
            assert_eq!(place(&Part { kind, ..part(vec![]) }), at);
        }
        assert_eq!(line(&[0.5, f64::INFINITY]), Err(Refused::NotFinite { place: "[1]".into(), value: f64::INFINITY }));
    }

    #[test]
    fn a_key_is_given_once() {
        let text = r#"{"a":[1,-2,0.1,1e300,null,true],"b":{"a":"x","c":{}},"c":18446744073709551615}"#;
        assert_eq!(read(text).expect("it reads"), serde_json::from_str::<Value>(text).expect("it reads"));
        for text in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"x":2,"a":null}}]"#] {
            let why = read(text).expect_err("a key occurs twice");
            assert!(why.to_string().starts_with("the key `a` is given twice at line 1") && why.is_data(), "{why}");
        }
        assert!(read("{\"a\":1,").expect_err("it is cut").is_eof());
    }

    #[test]
    fn what_is_finite_is_written_as_serde_json_writes_it() {
        let value = Part { loss: Some(0.1), by: BTreeMap::from([("x".into(), 1.0)]), ..part(vec![vec![1e-300]]) };
        assert_eq!(line(&value).expect("finite"), serde_json::to_string(&value).expect("finite"));
        assert!(text(&value).expect("finite").ends_with("}\n"));
        assert_eq!(
            line(&part(vec![])).expect("undefined is null"),
            r#"{"name":"a","loss":null,"rows":[],"by":{},"kind":"Plain"}"#
        );
    }
}
