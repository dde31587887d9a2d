//! zknn-ir
