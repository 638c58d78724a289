//! The guest of `debugging.rs`. It does without the core library, because the toolchain has none for this target.

#![feature(no_core, lang_items, intrinsics, arbitrary_self_types)]
#![no_core]
#![allow(internal_features)]

#[lang = "pointee_sized"]
pub trait PointeeSized {}
#[lang = "meta_sized"]
pub trait MetaSized: PointeeSized {}
#[lang = "sized"]
pub trait Sized: MetaSized {}
#[lang = "copy"]
pub trait Copy {}
impl Copy for i32 {}

#[rustc_intrinsic]
pub const fn abort() -> !;

#[inline(never)]
fn fail(x: i32) -> i32 {
    match x {
        0 => abort(),
        other => other,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn f(x: i32) -> i32 {
    fail(x)
}
