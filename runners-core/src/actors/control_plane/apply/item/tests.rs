//! How what a sync tells is parted into batches.

use super::*;

#[test]
fn no_portion_has_more_writes_than_a_batch_may() {
    let missing = Item::Missing(FencingToken { job: JobId::from_bytes([1; 16]), grant: 1 });
    let items = vec![missing; 300];
    let portions = portions(&Live::default(), &items);
    let lengths: Vec<usize> = portions.iter().map(|portion| portion.len()).collect();
    assert_eq!(lengths, [128, 128, 44]);
    assert!(lengths[0] * ITEM_WRITES <= WRITES_PER_BATCH, "the first as much as any other");
}
