//! Amounts of CPU, memory and disk as users write them.

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not of the form.
    #[error("not a number of CPUs")]
    Cpu,
    /// Not of the form.
    #[error("not an amount of memory or disk")]
    Bytes,
    /// Nothing at all.
    #[error("the amount is zero")]
    Zero,
    /// Less than a thousandth of a CPU, or less than a byte.
    #[error("the amount is too finely divided")]
    TooFine,
    /// More than any machine has.
    #[error("the amount is too large")]
    TooLarge,
}

impl QuantityError {
    /// What the reader can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Cpu => "write `2`, `0.5` or `500m`",
            Self::Bytes => "write `512Mi` or `1GB`; a bare number is MB",
            Self::Zero => "leave it out for no limit of its own",
            Self::TooFine => "the smallest amounts are `1m` of a CPU and one byte",
            Self::TooLarge => "no machine has that much",
        }
    }
}

/// `2`, `0.5`, `500m`, in thousandths of a CPU.
///
/// # Errors
///
/// The text is malformed, zero, or finer than a thousandth.
pub fn parse_cpu(text: &str) -> Result<u64, QuantityError> {
    let text = text.trim();
    match text.strip_suffix('m') {
        Some(millis) => scaled(millis, 1, QuantityError::Cpu),
        None => scaled(text, 1_000, QuantityError::Cpu),
    }
}

/// `512Mi`, `1GB`, `1.5 G`; case does not matter, and a bare number is MB. In bytes.
///
/// # Errors
///
/// The text is malformed, zero, or finer than a byte.
pub fn parse_bytes(text: &str) -> Result<u64, QuantityError> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let scale = match unit.trim().to_ascii_lowercase().as_str() {
        "b" => 1,
        "k" | "kb" => 1_000,
        "" | "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "ki" | "kib" => 1 << 10,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        "ti" | "tib" => 1 << 40,
        _ => return Err(QuantityError::Bytes),
    };
    scaled(number, scale, QuantityError::Bytes)
}

/// What a malformed number of CPUs most likely means: `2 cores` is `2`.
#[must_use]
pub fn repaired_cpu(text: &str) -> Option<String> {
    repaired(text, |unit| match unit {
        "cpu" | "cpus" | "core" | "cores" | "vcpu" | "vcpus" | "" => Some(""),
        "m" | "mi" | "milli" | "millicpu" | "millicores" => Some("m"),
        _ => None,
    })
    .filter(|repaired| parse_cpu(repaired).is_ok())
}

/// What a malformed amount of memory or disk most likely means: `2 gigabytes` is `2GB`.
#[must_use]
pub fn repaired_bytes(text: &str) -> Option<String> {
    repaired(text, |unit| match unit {
        "kilobyte" | "kilobytes" | "kb" | "k" => Some("kB"),
        "megabyte" | "megabytes" | "meg" | "megs" | "mb" | "m" => Some("MB"),
        "gigabyte" | "gigabytes" | "gig" | "gigs" | "gb" | "g" => Some("GB"),
        "terabyte" | "terabytes" | "tb" | "t" => Some("TB"),
        "byte" | "bytes" => Some("B"),
        "kibibyte" | "kibibytes" | "kib" | "ki" => Some("Ki"),
        "mebibyte" | "mebibytes" | "mib" | "mi" => Some("Mi"),
        "gibibyte" | "gibibytes" | "gib" | "gi" => Some("Gi"),
        "" => Some(""),
        _ => None,
    })
    .filter(|repaired| parse_bytes(repaired).is_ok())
}

/// A number with a decimal point, and its unit as it is written here.
fn repaired(text: &str, unit: fn(&str) -> Option<&'static str>) -> Option<String> {
    const LONGEST: usize = 64;
    let text = text.trim();
    if text.len() > LONGEST {
        return None;
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(text.len());
    let (number, written) = text.split_at(end);
    // One comma is a decimal one, unless it separates thousands.
    let number = match number.split_once(',') {
        Some((_, fraction)) if fraction.contains([',', '.']) || fraction.len() == 3 => return None,
        _ => number.replace(',', "."),
    };
    Some(format!("{number}{}", unit(&written.trim().to_ascii_lowercase())?))
}

/// `number` × `scale`, exactly.
fn scaled(number: &str, scale: u128, malformed: QuantityError) -> Result<u64, QuantityError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return Err(malformed);
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 15 {
        return Err(QuantityError::TooFine);
    }
    let value = |text: &str| match text {
        "" => Ok(0),
        _ => text.parse::<u64>().map(u128::from).map_err(|_| QuantityError::TooLarge),
    };
    let divisor = 10u128.pow(u32::try_from(fraction.len()).unwrap_or_default());
    let part = value(fraction)? * scale;
    if !part.is_multiple_of(divisor) && scale <= 1_000 {
        return Err(QuantityError::TooFine);
    }
    let total = value(whole)?.saturating_mul(scale).saturating_add(part / divisor);
    match u64::try_from(total) {
        Ok(0) => Err(QuantityError::Zero),
        Ok(total) => Ok(total),
        Err(_) => Err(QuantityError::TooLarge),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn cpus() {
        let cases = [
            ("2", Ok(2_000)),
            ("0.5", Ok(500)),
            ("500m", Ok(500)),
            (".25", Ok(250)),
            ("1.0", Ok(1_000)),
            ("2.", Ok(2_000)),
            ("0", Err(QuantityError::Zero)),
            ("0m", Err(QuantityError::Zero)),
            ("0.0001", Err(QuantityError::TooFine)),
            ("1.5m", Err(QuantityError::TooFine)),
            ("-1", Err(QuantityError::Cpu)),
            ("two", Err(QuantityError::Cpu)),
            ("", Err(QuantityError::Cpu)),
            ("m", Err(QuantityError::Cpu)),
            ("1e3", Err(QuantityError::Cpu)),
            ("99999999999999999999", Err(QuantityError::TooLarge)),
        ];
        for (text, want) in cases {
            assert_eq!(parse_cpu(text), want, "{text:?}");
        }
    }

    #[test]
    fn memory() {
        let cases = [
            ("512Mi", Ok(512 << 20)),
            ("512MiB", Ok(512 << 20)),
            ("1GB", Ok(1_000_000_000)),
            ("1G", Ok(1_000_000_000)),
            ("1gi", Ok(1 << 30)),
            ("1.5 GB", Ok(1_500_000_000)),
            ("0.5Ki", Ok(512)),
            ("256", Ok(256_000_000)),
            ("100kb", Ok(100_000)),
            ("64B", Ok(64)),
            ("2TiB", Ok(2 << 40)),
            ("0", Err(QuantityError::Zero)),
            ("0.5B", Err(QuantityError::TooFine)),
            ("1PB", Err(QuantityError::Bytes)),
            ("lots", Err(QuantityError::Bytes)),
            ("", Err(QuantityError::Bytes)),
            ("-1GB", Err(QuantityError::Bytes)),
            ("1.2.3GB", Err(QuantityError::Bytes)),
            ("99999999999TB", Err(QuantityError::TooLarge)),
        ];
        for (text, want) in cases {
            assert_eq!(parse_bytes(text), want, "{text:?}");
        }
    }

    #[test]
    fn repairs() {
        for (text, want) in
            [("2 cores", Some("2")), ("500mi", Some("500m")), ("1,5", Some("1.5")), ("two", None)]
        {
            assert_eq!(repaired_cpu(text).as_deref(), want, "{text}");
        }
        let cases = [
            ("2 gigabytes", Some("2GB")),
            ("2,5GB", Some("2.5GB")),
            ("512 mebibytes", Some("512Mi")),
            ("1,000MB", None),
            ("lots", None),
            ("0", None),
        ];
        for (text, want) in cases {
            assert_eq!(repaired_bytes(text).as_deref(), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[0-9.,mMgGiIbBkK -]{0,40}") {
            let _ = (parse_cpu(&text), parse_bytes(&text), repaired_cpu(&text), repaired_bytes(&text));
        }
    }
}
