//! The type of a vector's values, as the source has them, and their bytes on the way to a column of that type.
//!
//! Not vectors: names, dimensions and columns are [`super::vectors`]'. Bytes are little-endian everywhere here, as in every file
//! that holds them.

use std::sync::Arc;

use arrow_array::{ArrayRef, FixedSizeBinaryArray, Float16Array, Float32Array, Float64Array, Int8Array, UInt8Array};
use arrow_buffer::{Buffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field};
use half::{bf16, f16};

/// The key of a vector column's field metadata that names the type of its values where it is not float32.
pub const ELEMENT: &str = "vec2lance:element";

/// The type of one value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Element {
    /// IEEE 754 binary32.
    #[default]
    Float32,
    /// IEEE 754 binary64.
    Float64,
    /// IEEE 754 binary16.
    Float16,
    /// The upper half of a binary32.
    BFloat16,
    /// −128 to 127.
    Int8,
    /// 0 to 255.
    UInt8,
    /// One bit; eight of them a byte, in the source's own order. Dimensions count bits.
    Binary,
}

/// What Arrow calls the storage of a bfloat16, after Lance's own extension type (`lance-arrow`, `bfloat16.rs`).
const BFLOAT16: [(&str, &str); 2] = [("ARROW:extension:name", "lance.bfloat16"), ("ARROW:extension:metadata", "")];

impl Element {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Float32, Self::Float64, Self::Float16, Self::BFloat16, Self::Int8, Self::UInt8, Self::Binary];

    /// The word in layouts, reports and field metadata.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Float16 => "float16",
            Self::BFloat16 => "bfloat16",
            Self::Int8 => "int8",
            Self::UInt8 => "uint8",
            Self::Binary => "binary",
        }
    }

    /// The element of this name, in our words or in a database's (`FLOAT16_VECTOR`, `f16`, `bit`).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "float32" | "f32" | "float" | "float_vector" | "vector" => Self::Float32,
            "float64" | "f64" | "double" => Self::Float64,
            "float16" | "f16" | "half" | "float16_vector" | "halfvec" => Self::Float16,
            "bfloat16" | "bf16" | "bfloat16_vector" => Self::BFloat16,
            "int8" | "i8" | "int8_vector" => Self::Int8,
            "uint8" | "u8" => Self::UInt8,
            "binary" | "bit" | "binary_vector" => Self::Binary,
            _ => return None,
        })
    }

    /// Bytes of one stored value; of eight for [`Self::Binary`].
    #[must_use]
    pub fn width(self) -> usize {
        match self {
            Self::Float64 => 8,
            Self::Float32 => 4,
            Self::Float16 | Self::BFloat16 => 2,
            Self::Int8 | Self::UInt8 | Self::Binary => 1,
        }
    }

    /// Values in so many bytes; `None` if the last one is not whole.
    #[must_use]
    pub fn values(self, bytes: usize) -> Option<usize> {
        if self == Self::Binary { Some(bytes * 8) } else { bytes.is_multiple_of(self.width()).then(|| bytes / self.width()) }
    }

    /// Bytes of so many values.
    #[must_use]
    pub fn bytes(self, values: usize) -> usize {
        if self == Self::Binary { values.div_ceil(8) } else { values * self.width() }
    }

    /// Stored items of so many values: what a list in the dataset has.
    #[must_use]
    pub fn items(self, values: usize) -> usize {
        self.bytes(values) / self.width()
    }

    /// The Arrow field of one stored item.
    #[must_use]
    pub fn item(self) -> Field {
        let field = Field::new("item", self.data_type(), true);
        if self == Self::BFloat16 { field.with_metadata(BFLOAT16.map(|(k, v)| (k.to_owned(), v.to_owned())).into()) } else { field }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Float16 => DataType::Float16,
            Self::BFloat16 => DataType::FixedSizeBinary(2),
            Self::Int8 => DataType::Int8,
            Self::UInt8 | Self::Binary => DataType::UInt8,
        }
    }

    /// The element whose stored items have this Arrow type; a byte is a uint8, unless the field's metadata say that it is eight bits.
    #[must_use]
    pub fn of(item: &DataType) -> Option<Self> {
        Self::ALL.into_iter().find(|e| *e != Self::Binary && e.data_type() == *item)
    }

    /// Items as an Arrow array, without nulls.
    ///
    /// # Errors
    /// The bytes are no multiple of the width.
    pub fn array(self, bytes: Vec<u8>) -> Result<ArrayRef, ArrowError> {
        let items = bytes.len() / self.width();
        let buffer = Buffer::from_vec(native(bytes, self.width()));
        // A buffer of bytes need not lie as its values want it.
        Ok(match self {
            Self::Float32 => Arc::new(Float32Array::new(aligned(&buffer, items), None)),
            Self::Float64 => Arc::new(Float64Array::new(aligned(&buffer, items), None)),
            Self::Float16 => Arc::new(Float16Array::new(aligned(&buffer, items), None)),
            Self::BFloat16 => Arc::new(FixedSizeBinaryArray::try_new(2, buffer, None)?),
            Self::Int8 => Arc::new(Int8Array::new(aligned(&buffer, items), None)),
            Self::UInt8 | Self::Binary => Arc::new(UInt8Array::new(aligned(&buffer, items), None)),
        })
    }

    /// Appends one value, given as JSON number.
    ///
    /// # Errors
    /// The value is none of this type; what was expected instead. Decimals go to the nearest value of a float type.
    pub fn push_number(self, text: &str, out: &mut Vec<u8>) -> Result<(), &'static str> {
        let value: f64 = text.parse().map_err(|_| "a number")?;
        let whole = |low: f64, high: f64| value.fract() == 0.0 && (low..=high).contains(&value);
        match self {
            Self::Float64 if value.is_finite() => out.extend(value.to_le_bytes()),
            Self::Float32 if text.parse().is_ok_and(f32::is_finite) => out.extend(text.parse::<f32>().unwrap_or_default().to_le_bytes()),
            Self::Float16 if f16::from_f64(value).is_finite() => out.extend(f16::from_f64(value).to_le_bytes()),
            Self::BFloat16 if bf16::from_f64(value).is_finite() => out.extend(bf16::from_f64(value).to_le_bytes()),
            Self::Float64 | Self::Float32 | Self::Float16 | Self::BFloat16 => return Err("a number that this type can hold"),
            #[expect(clippy::cast_possible_truncation, reason = "the range was just looked at")]
            Self::Int8 if whole(-128.0, 127.0) => out.extend((value as i8).to_le_bytes()),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was just looked at")]
            Self::UInt8 | Self::Binary if whole(0.0, 255.0) => out.push(value as u8),
            Self::Int8 => return Err("an integer from -128 to 127"),
            Self::UInt8 | Self::Binary => return Err("an integer from 0 to 255"),
        }
        Ok(())
    }

    /// Index of the first value that is no finite number, from 0.
    #[must_use]
    pub fn first_not_finite(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Float32 => chunks(bytes).position(|b| !f32::from_le_bytes(b).is_finite()),
            Self::Float64 => chunks(bytes).position(|b| !f64::from_le_bytes(b).is_finite()),
            Self::Float16 => chunks(bytes).position(|b| !f16::from_le_bytes(b).is_finite()),
            Self::BFloat16 => chunks(bytes).position(|b| !bf16::from_le_bytes(b).is_finite()),
            Self::Int8 | Self::UInt8 | Self::Binary => None,
        }
    }

    /// Appends the values as float32, the nearest where they are wider. Gives how many were not exact; what overflows is infinite.
    pub fn widen(self, bytes: &[u8], out: &mut Vec<f32>) -> usize {
        let before = out.len();
        match self {
            Self::Float32 => out.extend(chunks(bytes).map(f32::from_le_bytes)),
            Self::Float16 => out.extend(chunks(bytes).map(|b| f16::from_le_bytes(b).to_f32())),
            Self::BFloat16 => out.extend(chunks(bytes).map(|b| bf16::from_le_bytes(b).to_f32())),
            Self::Int8 => out.extend(bytes.iter().map(|b| f32::from(b.cast_signed()))),
            Self::UInt8 => out.extend(bytes.iter().map(|b| f32::from(*b))),
            Self::Binary => out.extend(bytes.iter().flat_map(|b| (0..8).rev().map(move |bit| f32::from(b >> bit & 1)))),
            Self::Float64 => {
                #[expect(clippy::cast_possible_truncation, reason = "the nearest float32 is what is wanted, and counted")]
                out.extend(chunks(bytes).map(|b| f64::from_le_bytes(b) as f32));
                let exact = |(wide, narrow): (f64, &f32)| f64::from(*narrow).to_bits() == wide.to_bits();
                return chunks(bytes).map(f64::from_le_bytes).zip(&out[before..]).filter(|pair| !exact(*pair)).count();
            }
        }
        0
    }

    /// Appends the values as values of another type.
    ///
    /// # Errors
    /// The first value that the other type does not have: its index, from 0, and its text.
    pub fn convert(self, bytes: &[u8], to: Self, out: &mut Vec<u8>) -> Result<(), (usize, String)> {
        if self == to {
            out.extend_from_slice(bytes);
            return Ok(());
        }
        let start = out.len();
        let wide = self.as_float64(bytes);
        for (at, value) in wide.iter().enumerate() {
            let text = format!("{value:?}");
            if self == Self::Binary || to == Self::Binary || to.push_number(&text, out).is_err() {
                return Err((at, text));
            }
        }
        match to.as_float64(&out[start..]).iter().zip(&wide).position(|(a, b)| a.to_bits() != b.to_bits()) {
            Some(at) => Err((at, format!("{:?}", wide[at]))),
            None => Ok(()),
        }
    }

    fn as_float64(self, bytes: &[u8]) -> Vec<f64> {
        if self == Self::Float64 {
            return chunks(bytes).map(f64::from_le_bytes).collect();
        }
        let mut narrow = Vec::new();
        self.widen(bytes, &mut narrow);
        narrow.into_iter().map(f64::from).collect()
    }
}

fn chunks<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

/// Little-endian values in this machine's order.
fn native(mut bytes: Vec<u8>, width: usize) -> Vec<u8> {
    if cfg!(target_endian = "big") {
        bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse);
    }
    bytes
}

fn aligned<T: arrow_buffer::ArrowNativeType>(buffer: &Buffer, items: usize) -> ScalarBuffer<T> {
    if buffer.as_ptr().align_offset(align_of::<T>()) == 0 {
        return ScalarBuffer::new(buffer.clone(), 0, items);
    }
    // Arrow's own allocations are aligned for every type.
    ScalarBuffer::new(Buffer::from_slice_ref(buffer.as_slice()), 0, items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_narrower_survives_the_way_to_float32_and_back(bits in any::<u16>(), byte in any::<u8>()) {
            for (element, bytes) in [(Element::Float16, bits.to_le_bytes().to_vec()), (Element::BFloat16, bits.to_le_bytes().to_vec()),
                                     (Element::Int8, vec![byte]), (Element::UInt8, vec![byte])] {
                if element.first_not_finite(&bytes).is_some() {
                    continue;
                }
                let mut floats = Vec::new();
                prop_assert_eq!(element.widen(&bytes, &mut floats), 0);
                let (wide, mut back): (Vec<u8>, Vec<u8>) = (floats[0].to_le_bytes().to_vec(), vec![]);
                prop_assert!(Element::Float32.convert(&wide, element, &mut back).is_ok());
                // An integer has no negative zero.
                prop_assert_eq!(&back, &bytes);
            }
        }

        #[test]
        fn a_float64_is_counted_when_it_is_no_float32(value in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
            let mut floats = Vec::new();
            let inexact = Element::Float64.widen(&value.to_le_bytes(), &mut floats);
            #[expect(clippy::cast_possible_truncation, reason = "the rounding is what is tested")]
            let expected = usize::from(f64::from(value as f32).to_bits() != value.to_bits());
            prop_assert_eq!(inexact, expected);
        }
    }

    #[test]
    fn arrays_hold_the_bytes_whatever_their_alignment() {
        for element in Element::ALL {
            let bytes: Vec<u8> = (0..48).map(|n| n * 5).collect();
            let array = element.array(bytes.clone()).unwrap();
            assert_eq!(array.len(), 48 / element.width());
            assert_eq!(array.to_data().buffers()[0].as_slice(), bytes, "{}", element.name());
        }
        assert_eq!(Element::BFloat16.array(vec![0x80, 0x3F]).unwrap().as_fixed_size_binary().value(0), [0x80, 0x3F]);
    }

    #[test]
    fn numbers_that_a_type_cannot_hold_are_refused() {
        for (element, text) in
            [(Element::Int8, "128"), (Element::UInt8, "-1"), (Element::UInt8, "1.5"), (Element::Float16, "70000"), (Element::Float64, "1e999")]
        {
            assert!(element.push_number(text, &mut vec![]).is_err(), "{text}");
        }
        let mut out = Vec::new();
        Element::Float16.push_number("0.1", &mut out).unwrap();
        assert_eq!(out, f16::from_f32(0.1).to_le_bytes());
    }
}
