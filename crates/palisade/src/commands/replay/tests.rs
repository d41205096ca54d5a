//! Records of our own through the comparison.
