//! Numbers as array files store them: any width, either byte order, C or Fortran order.

use super::raw::Values;

/// The type of one stored number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    F32,
    F64,
}

/// How an array is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    pub kind: Kind,
    /// The most significant byte comes first.
    pub big: bool,
}

impl Stored {
    /// Parses NumPy's name of a type: `<f4`, `>i2`, `|u1`. `None` for types that are not numbers, and for complex numbers.
    pub fn numpy(name: &str) -> Option<Stored> {
        let (order, kind) = name.split_at_checked(1)?;
        let big = match order {
            "<" | "|" => false,
            ">" => true,
            "=" => cfg!(target_endian = "big"),
            _ => return None,
        };
        let kind = match kind {
            "b1" => Kind::Bool,
            "u1" => Kind::U8,
            "i1" => Kind::I8,
            "u2" => Kind::U16,
            "i2" => Kind::I16,
            "u4" => Kind::U32,
            "i4" => Kind::I32,
            "u8" => Kind::U64,
            "i8" => Kind::I64,
            "f2" => Kind::F16,
            "f4" => Kind::F32,
            "f8" => Kind::F64,
            _ => return None,
        };
        // `|` is for types of one byte.
        (order != "|" || Stored { kind, big }.width() == 1).then_some(Stored { kind, big })
    }

    /// The size of one number in bytes.
    pub fn width(self) -> usize {
        match self.kind {
            Kind::Bool | Kind::U8 | Kind::I8 => 1,
            Kind::U16 | Kind::I16 | Kind::F16 => 2,
            Kind::U32 | Kind::I32 | Kind::F32 => 4,
            Kind::U64 | Kind::I64 | Kind::F64 => 8,
        }
    }

    /// Reads all numbers of an array body, exactly.
    pub fn read(self, body: &[u8]) -> Values {
        match self.kind {
            Kind::Bool => Values::U8(body.iter().map(|b| u8::from(*b != 0)).collect()),
            Kind::U8 => Values::U8(body.to_vec()),
            // Whole numbers of up to 24 bits are exact in 32-bit floats, which take half the memory of the next type.
            Kind::I8 => Values::Whole(body.iter().map(|b| f32::from(*b as i8)).collect()),
            Kind::U16 => Values::Whole(self.each(body, u16::from_le_bytes).map(f32::from).collect()),
            Kind::I16 => Values::Whole(self.each(body, i16::from_le_bytes).map(f32::from).collect()),
            Kind::F16 => Values::F16(self.each(body, u16::from_le_bytes).collect()),
            Kind::F32 => Values::F32(self.each(body, f32::from_le_bytes).collect()),
            Kind::U32 => Values::I64(self.each(body, u32::from_le_bytes).map(i64::from).collect()),
            Kind::I32 => Values::I64(self.each(body, i32::from_le_bytes).map(i64::from).collect()),
            Kind::I64 => Values::I64(self.each(body, i64::from_le_bytes).collect()),
            Kind::U64 => {
                let all = || self.each(body, u64::from_le_bytes);
                match all().map(|v| i64::try_from(v).ok()).collect::<Option<Vec<i64>>>() {
                    Some(whole) => Values::I64(whole),
                    None => Values::U64(all().collect()),
                }
            }
            Kind::F64 => Values::F64(self.each(body, f64::from_le_bytes).collect()),
        }
    }

    fn each<'a, const N: usize, T: 'a>(
        self,
        body: &'a [u8],
        read: fn([u8; N]) -> T,
    ) -> impl Iterator<Item = T> + use<'a, N, T> {
        body.chunks_exact(N).map(move |c| {
            let mut bytes: [u8; N] = c.try_into().expect("a chunk of that size");
            if self.big {
                bytes.reverse();
            }
            read(bytes)
        })
    }
}

/// The precision of stored numbers. A constant that is compared with them is rounded in the same way, so that 0.1 equals a value that was
/// 0.1 before it was stored. NumPy does the same since version 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 16 bits.
    Half,
    /// 32 bits.
    Single,
    /// 64 bits, or whole numbers.
    Exact,
}

impl Precision {
    /// The nearest number with this precision.
    pub fn rounded(self, v: f64) -> f64 {
        match self {
            Precision::Half => to_half(v),
            Precision::Single => f64::from(v as f32),
            Precision::Exact => v,
        }
    }

    /// The number with the fewest digits among those that are stored as `v`.
    pub fn shortest(self, v: f64) -> f64 {
        let read = |text: String| text.parse::<f64>().expect("a printed number");
        match self {
            Precision::Single if v.is_finite() => read((v as f32).to_string()),
            // Five digits distinguish all 16-bit floats.
            Precision::Half if v.is_finite() => {
                (0..5).map(|digits| read(format!("{v:.digits$e}"))).find(|r| to_half(*r) == v).unwrap_or(v)
            }
            _ => v,
        }
    }
}

/// Converts a half-precision float (IEEE 754 binary16): one sign bit, five exponent bits, ten fraction bits.
pub fn half(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let (exponent, fraction) = (u32::from(bits >> 10 & 31), u32::from(bits & 1023));
    match exponent {
        0 => {
            let small = fraction as f32 * (1.0 / 16_777_216.0);
            if sign == 0 { small } else { -small }
        }
        31 => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        e => f32::from_bits(sign | (e + 112) << 23 | fraction << 13),
    }
}

/// The nearest half-precision float; ties go to the one whose last bit is 0.
fn to_half(v: f64) -> f64 {
    const LARGEST: f64 = 65504.0;
    if v == 0.0 || !v.is_finite() {
        return v;
    }
    // The distance between neighbouring floats, which depends on the power of two; below 2^-14 it is constant.
    let exponent = ((v.abs().to_bits() >> 52) as i32 - 1023).max(-14);
    let step = 2f64.powi(exponent - 10);
    let near = (v / step).round_ties_even() * step;
    if near.abs() > LARGEST { f64::INFINITY.copysign(v) } else { near }
}

/// Converts an array from Fortran order, where the first index varies fastest, to C order, where the last one does.
pub fn from_fortran(values: Values, sizes: &[usize]) -> Values {
    fn turned<T: Copy>(v: &[T], sizes: &[usize]) -> Vec<T> {
        let mut strides = vec![1usize; sizes.len()];
        for d in 1..sizes.len() {
            strides[d] = strides[d - 1] * sizes[d - 1];
        }
        let mut at = vec![0usize; sizes.len()];
        let mut from = 0usize;
        let mut out = Vec::with_capacity(v.len());
        for _ in 0..v.len() {
            out.push(v[from]);
            // Advance the index like an odometer.
            for d in (0..sizes.len()).rev() {
                at[d] += 1;
                from += strides[d];
                if at[d] < sizes[d] {
                    break;
                }
                from -= strides[d] * sizes[d];
                at[d] = 0;
            }
        }
        out
    }
    match values {
        Values::U8(v) => Values::U8(turned(&v, sizes)),
        Values::I16(v) => Values::I16(turned(&v, sizes)),
        Values::Whole(v) => Values::Whole(turned(&v, sizes)),
        Values::I64(v) => Values::I64(turned(&v, sizes)),
        Values::U64(v) => Values::U64(turned(&v, sizes)),
        Values::F16(v) => Values::F16(turned(&v, sizes)),
        Values::F32(v) => Values::F32(turned(&v, sizes)),
        Values::F64(v) => Values::F64(turned(&v, sizes)),
        other @ (Values::Text(_) | Values::Pictures(_)) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numpy(name: &str, body: &[u8]) -> Values {
        Stored::numpy(name).unwrap().read(body)
    }

    #[test]
    fn every_type_in_both_orders() {
        assert_eq!(numpy("|b1", &[0, 1, 255]), Values::U8(vec![0, 1, 1]));
        assert_eq!(numpy("|u1", &[0, 200]), Values::U8(vec![0, 200]));
        assert_eq!(numpy("|i1", &[0x80, 0x7f]), Values::Whole(vec![-128.0, 127.0]));
        assert_eq!(numpy("<u2", &[0x01, 0x02]), Values::Whole(vec![513.0]));
        assert_eq!(numpy(">u2", &[0xff, 0xfe]), Values::Whole(vec![65534.0]));
        assert_eq!(numpy(">i2", &[0xff, 0xfe]), Values::Whole(vec![-2.0]));
        assert_eq!(numpy("<u4", &[0xff; 4]), Values::I64(vec![4294967295]));
        assert_eq!(numpy(">i4", &[0xff, 0xff, 0xff, 0xfd]), Values::I64(vec![-3]));
        assert_eq!(numpy("<i8", &(-5i64).to_le_bytes()), Values::I64(vec![-5]));
        assert_eq!(numpy(">i8", &(1i64 << 53).to_be_bytes()), Values::I64(vec![1 << 53]));
        assert_eq!(numpy("<u8", &7u64.to_le_bytes()), Values::I64(vec![7]));
        assert_eq!(numpy(">u8", &u64::MAX.to_be_bytes()), Values::U64(vec![u64::MAX]));
        assert_eq!(numpy(">f4", &1.5f32.to_be_bytes()), Values::F32(vec![1.5]));
        assert_eq!(numpy("<f8", &(-0.1f64).to_le_bytes()), Values::F64(vec![-0.1]));
        assert_eq!(numpy(">f8", &1e-300f64.to_be_bytes()), Values::F64(vec![1e-300]));
        for odd in ["<U5", "|O", "<c8", "|S3", "<M8[s]", "|f4", "<f16", "", "é1", "f4"] {
            assert_eq!(Stored::numpy(odd), None, "{odd}");
        }
    }

    /// Values according to the definition of binary16 in IEEE 754.
    #[test]
    fn numbers_of_16_bits() {
        for (bits, value) in [
            (0x0000u16, 0.0f32),
            (0x8000, -0.0),
            (0x0001, 5.960_464_5e-8),
            (0x03ff, 6.097_555e-5),
            (0x0400, 6.103_515_6e-5),
            (0x3555, 0.333_251_95),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x7c00, f32::INFINITY),
            (0xfc00, f32::NEG_INFINITY),
        ] {
            assert_eq!(half(bits).to_bits(), value.to_bits(), "{bits:04x}");
        }
        assert!(half(0x7e00).is_nan() && half(0xfc01).is_nan());
        assert_eq!(numpy(">f2", &[0x3c, 0x00, 0xc0, 0x00]), Values::F16(vec![0x3c00, 0xc000]));
        // Each is the nearest to itself, to what lies within half a step, and to its shortest text.
        for bits in (0..0x7c00u16).chain(0x8001..0xfc00) {
            let v = f64::from(half(bits));
            let step = f64::from(half((bits & 0x7fff) + 1)) - v.abs();
            let beyond = v + 0.49 * step.copysign(v);
            assert!(to_half(v) == v && (to_half(beyond) == v || bits & 0x7fff == 0x7bff), "{bits:04x}");
            assert_eq!(to_half(Precision::Half.shortest(v)), v, "{bits:04x}");
        }
        assert_eq!((to_half(65519.0), to_half(65520.0), to_half(-1e9)), (65504.0, f64::INFINITY, f64::NEG_INFINITY));
        assert_eq!([0.1, 0.3, -9.99].map(|v| Precision::Half.shortest(to_half(v))), [0.1, 0.3, -9.99]);
        assert_eq!([0.1, 0.3, -9.99].map(|v| Precision::Single.shortest(f64::from(v as f32))), [0.1, 0.3, -9.99]);
    }

    #[test]
    fn whole_numbers_of_64_bits_are_exact() {
        let wide = Values::U64(vec![u64::MAX, 1 << 53]);
        assert_eq!((wide.large(0), wide.large(1)), (Some(i128::from(u64::MAX)), None));
        let signed = Values::I64(vec![-(1 << 53) - 1, 7]);
        assert_eq!((signed.large(0), signed.written(0).as_deref()), (Some(-(1 << 53) - 1), Some("-9007199254740993")));
        assert_eq!((signed.large(1), signed.number(1)), (None, 7.0));
    }

    #[test]
    fn fortran_order_of_three_dimensions() {
        // numpy: np.arange(24).reshape(2, 3, 4, order="F").ravel(order="C")
        let stored = Values::F64((0..24).map(f64::from).collect());
        let wanted = [0, 6, 12, 18, 2, 8, 14, 20, 4, 10, 16, 22, 1, 7, 13, 19, 3, 9, 15, 21, 5, 11, 17, 23];
        let wanted = Values::F64(wanted.into_iter().map(f64::from).collect());
        assert_eq!(from_fortran(stored, &[2, 3, 4]), wanted);
        assert_eq!(from_fortran(Values::U8(vec![1, 2, 3]), &[3]), Values::U8(vec![1, 2, 3]));
        assert_eq!(from_fortran(Values::U8(Vec::new()), &[0, 3]), Values::U8(Vec::new()));
    }
}
