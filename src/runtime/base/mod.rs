//! Types that all other folders use: errors, values, types, options and capabilities.

pub(crate) mod capabilities;
pub(crate) mod capabilities_builder;
pub(crate) mod error;
pub(crate) mod frame;
pub(crate) mod instance_pool;
pub(crate) mod module_limits;
pub(crate) mod network;
pub(crate) mod options;
pub(crate) mod stats;
pub(crate) mod text;
pub(crate) mod tls;
pub(crate) mod types;
pub(crate) mod value;
