//! zknn
