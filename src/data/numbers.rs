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

    /// Reads all numbers of an array body. Values are exact, except `u64` values of 2^63 and above, which are rounded to 53 bits.
    pub fn read(self, body: &[u8]) -> Values {
        match self.kind {
            Kind::Bool => Values::U8(body.iter().map(|b| u8::from(*b != 0)).collect()),
            Kind::U8 => Values::U8(body.to_vec()),
            // Integers of up to 24 bits are exact in 32-bit floats, which take half the memory of the next type.
            Kind::I8 => Values::F32(body.iter().map(|b| f32::from(*b as i8)).collect()),
            Kind::U16 => Values::F32(self.each(body, u16::from_le_bytes).map(f32::from).collect()),
            Kind::I16 => Values::F32(self.each(body, i16::from_le_bytes).map(f32::from).collect()),
            Kind::F16 => Values::F32(self.each(body, u16::from_le_bytes).map(half).collect()),
            Kind::F32 => Values::F32(self.each(body, f32::from_le_bytes).collect()),
            Kind::U32 => Values::I64(self.each(body, u32::from_le_bytes).map(i64::from).collect()),
            Kind::I32 => Values::I64(self.each(body, i32::from_le_bytes).map(i64::from).collect()),
            Kind::I64 => Values::I64(self.each(body, i64::from_le_bytes).collect()),
            Kind::U64 => {
                let all = || self.each(body, u64::from_le_bytes);
                match all().map(|v| i64::try_from(v).ok()).collect::<Option<Vec<i64>>>() {
                    Some(whole) => Values::I64(whole),
                    None => Values::F64(all().map(|v| v as f64).collect()),
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

/// Converts a half-precision float (IEEE 754 binary16): one sign bit, five exponent bits, ten fraction bits.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0f32 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    match exponent {
        0 => sign * fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => sign * f32::INFINITY,
        31 => f32::NAN,
        e => sign * (1.0 + fraction / 1024.0) * 2f32.powi(e - 15),
    }
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
        Values::I64(v) => Values::I64(turned(&v, sizes)),
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
        assert_eq!(numpy("|i1", &[0x80, 0x7f]), Values::F32(vec![-128.0, 127.0]));
        assert_eq!(numpy("<u2", &[0x01, 0x02]), Values::F32(vec![513.0]));
        assert_eq!(numpy(">u2", &[0xff, 0xfe]), Values::F32(vec![65534.0]));
        assert_eq!(numpy(">i2", &[0xff, 0xfe]), Values::F32(vec![-2.0]));
        assert_eq!(numpy("<u4", &[0xff; 4]), Values::I64(vec![4294967295]));
        assert_eq!(numpy(">i4", &[0xff, 0xff, 0xff, 0xfd]), Values::I64(vec![-3]));
        assert_eq!(numpy("<i8", &(-5i64).to_le_bytes()), Values::I64(vec![-5]));
        assert_eq!(numpy(">i8", &(1i64 << 53).to_be_bytes()), Values::I64(vec![1 << 53]));
        assert_eq!(numpy("<u8", &7u64.to_le_bytes()), Values::I64(vec![7]));
        assert_eq!(numpy(">u8", &u64::MAX.to_be_bytes()), Values::F64(vec![18446744073709551615.0]));
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
        assert_eq!(numpy(">f2", &[0x3c, 0x00, 0xc0, 0x00]), Values::F32(vec![1.0, -2.0]));
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
