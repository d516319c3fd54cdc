//! The JSON values in a file as people make them: with a byte-order mark, in PowerShell's UTF-16, with the comments that
//! ARM templates may have, one value after another.

use serde_json::Value;

use super::DocumentError;

/// All values of a file, in order.
pub(super) fn values(file: &str, bytes: &[u8]) -> Result<Vec<Value>, DocumentError> {
    let text = decoded(bytes);
    parsed(&text).or_else(|first| {
        // Only a file that is no JSON as it stands is read as JSON with comments.
        let bare = without_comments(&text);
        parsed(&bare).map_err(|second| DocumentError::NotJson {
            file: file.to_owned(),
            line: second.line().max(first.line()),
            column: if second.line() >= first.line() { second.column() } else { first.column() },
            message: second.to_string().split(" at line ").next().unwrap_or_default().to_owned(),
        })
    })
}

fn parsed(text: &str) -> Result<Vec<Value>, serde_json::Error> {
    let values: Vec<Value> = serde_json::Deserializer::from_str(text).into_iter().collect::<Result<_, _>>()?;
    if values.is_empty() { serde_json::from_str(text).map(|value| vec![value]) } else { Ok(values) }
}

/// UTF-8, or UTF-16 with its mark, which `>` of Windows PowerShell writes.
fn decoded(bytes: &[u8]) -> String {
    let units = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let pairs = rest.chunks_exact(2).filter_map(|pair| <[u8; 2]>::try_from(pair).ok());
        String::from_utf16_lossy(&pairs.map(unit).collect::<Vec<_>>())
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => units(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => units(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// The text with blanks where comments stood, so that lines and columns stay what they are.
fn without_comments(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '"' => string_length(rest),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            other => other.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        if next == '/' && length > 1 {
            bare.extend(token.chars().map(|c| if c == '\n' { c } else { ' ' }));
        } else {
            bare.push_str(token);
        }
        rest = after;
    }
    bare
}

/// How long the string is that the text begins with, its quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn files_of_every_editor_and_shell_are_read() {
        let one = |bytes: &[u8]| values("f", bytes).unwrap();
        let utf16: Vec<u8> =
            [0xff, 0xfe].into_iter().chain("{\"a\": \"\u{e9}\"}".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(one(&utf16), [json!({ "a": "\u{e9}" })]);
        assert_eq!(one(b"\xef\xbb\xbf[1]"), [json!([1])]);
        assert_eq!(one(b"{\"a\":1}\n{\"a\":2}\n"), [json!({ "a": 1 }), json!({ "a": 2 })]);
        let commented = b"// top\n{ /* in\nside */ \"u\": \"https://x/*y*/\", // end\n \"q\": \"a\\\"//b\" }";
        assert_eq!(one(commented), [json!({ "u": "https://x/*y*/", "q": "a\"//b" })]);
    }

    #[test]
    fn a_mistake_is_told_with_its_place_though_comments_stand_before_it() {
        let error = values("f", b"// a\n/* b\n */ {\n  \"a\": }").unwrap_err();
        assert!(matches!(error, DocumentError::NotJson { line: 4, column: 8, .. }), "{error:?}");
        assert!(matches!(values("f", b"").unwrap_err(), DocumentError::NotJson { .. }));
    }

    proptest! {
        #[test]
        fn json_without_comments_is_not_changed(text in "[ -~]{0,80}") {
            let value = json!({ "text": text, "list": [text] });
            prop_assert_eq!(without_comments(&value.to_string()), value.to_string());
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = values("f", &bytes);
        }
    }
}
