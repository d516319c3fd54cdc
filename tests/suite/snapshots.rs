//! Properties of the snapshot parser.

use acr_doctor::facts::{ConfigFacts, ProbeFacts, Snapshot, SnapshotError};
use proptest::prelude::*;

use crate::golden::root;

fn example(half: &str) -> Vec<u8> {
    std::fs::read(root().join(format!("examples/data-endpoint-record-missing/{half}.json"))).unwrap()
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(Snapshot::<ConfigFacts>::parse(&bytes).is_err());
    }

    #[test]
    fn a_snapshot_cut_anywhere_is_refused_with_its_place(place in any::<prop::sample::Index>()) {
        let whole = example("config");
        // The last two bytes are the closing brace and the line break.
        let cut = Snapshot::<ConfigFacts>::parse(&whole[..place.index(whole.len() - 2)]);
        prop_assert!(matches!(cut, Err(SnapshotError::NotJson { .. })), "{cut:?}");
    }

    #[test]
    fn a_damaged_byte_never_panics(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = example("probe");
        let at = place.index(bytes.len());
        bytes[at] = byte;
        let _ = Snapshot::<ProbeFacts>::parse(&bytes);
    }

    #[test]
    fn any_json_without_an_envelope_is_no_snapshot(text in ".{0,40}") {
        let document = serde_json::json!({ "kind": text }).to_string();
        let parsed = Snapshot::<ProbeFacts>::parse(document.as_bytes());
        prop_assert!(matches!(parsed, Err(SnapshotError::NoEnvelope { .. })), "{parsed:?}");
    }
}

#[test]
fn a_snapshot_comes_back_as_it_was_saved() {
    let config = Snapshot::<ConfigFacts>::parse(&example("config")).unwrap();
    let again = Snapshot::<ConfigFacts>::parse(&serde_json::to_vec(&config).unwrap()).unwrap();
    assert_eq!(config, again);
    let probe = Snapshot::<ProbeFacts>::parse(&example("probe")).unwrap();
    let again = Snapshot::<ProbeFacts>::parse(&serde_json::to_vec(&probe).unwrap()).unwrap();
    assert_eq!(probe, again);
}
