//! What tests share: a JavaScript runtime, processes of their own, snapshots.

pub mod child;
pub mod guests;
pub mod js;

/// Runs a check of a snapshot, which is kept in `snapshots/`.
pub fn snapshots(check: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(check);
}
