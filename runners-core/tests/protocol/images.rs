//! Images of container jobs that name none: they travel in the offer.

use super::{
    control,
    hand::{Hand, submit, submit_with, user},
    management::admin,
};
use runners_core::{ControlPlane, JobOptions, MemoryStore, PoolId, PoolSpec};

async fn offered(hand: &mut Hand) -> Option<String> {
    let answer = hand.sync().await;
    hand.hold(&answer);
    answer.offers.into_iter().next().expect("a job is ready").image
}

#[tokio::test]
async fn the_image_of_a_pool_goes_before_that_of_its_control_plane_and_travels_in_the_offer() {
    let control =
        ControlPlane::builder(MemoryStore::default()).default_image("usual:1").start().await.unwrap();
    let (admin, user) = (admin(&control), user(&control));
    let mut spec = PoolSpec::new("blue");
    spec.image = Some("blue:2".into());
    let blue = admin.create_pool(spec).await.unwrap();
    let mut usual = Hand::new(&control, 1);
    let mut in_blue = Hand::in_pool(&control, 2, blue.id);
    submit(&user, 1).await;
    let options = || JobOptions { pool: "blue".into(), ..JobOptions::default() };
    submit_with(&user, 2, options()).await;
    assert_eq!(offered(&mut usual).await.as_deref(), Some("usual:1"));
    assert_eq!(offered(&mut in_blue).await.as_deref(), Some("blue:2"));

    // A pool that is changed meanwhile is heard of.
    admin.update_pool(blue.id, |spec| spec.image = Some("blue:3".into())).await.unwrap();
    submit_with(&user, 3, options()).await;
    assert_eq!(offered(&mut in_blue).await.as_deref(), Some("blue:3"));
    control.stop().await.unwrap();
}

#[tokio::test]
async fn where_nobody_names_an_image_none_is_offered() {
    let control = control().await;
    submit(&user(&control), 1).await;
    assert_eq!(offered(&mut Hand::new(&control, 1)).await, None);
    assert_eq!(admin(&control).pool(PoolId::DEFAULT).await.unwrap().spec.image, None);
    control.stop().await.unwrap();
}
