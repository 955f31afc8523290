//! Any bytes as a number: what is accepted is JSON, and has the bits that the standard library gives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vec2lance::formats::number::parse_f32;

fuzz_target!(|data: &[u8]| {
    if let Ok((value, end)) = parse_f32(data, 0) {
        let text = std::str::from_utf8(&data[..end]).expect("numbers are ASCII");
        assert_eq!(value.to_bits(), text.parse::<f32>().expect("a JSON number is a float").to_bits(), "{text}");
    }
});
