//! Which vector goes to which column: the main one to `vector`, every other to `x_vector_<name>` or `x_sparse_<name>`.
//!
//! Not the values: those are appended by [`super::builder`].

use std::sync::Arc;

use arrow_schema::{DataType, Field};

/// What one named vector is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VectorKind {
    /// `dimension` float32 values.
    Dense(usize),
    /// Any number of rows of `dimension` float32 values each.
    Multi(usize),
    /// Pairs of a uint32 index and a float32 value.
    Sparse,
}

impl VectorKind {
    /// Short text for reports: `dense, 384 dimensions`.
    #[must_use]
    pub fn describe(self) -> String {
        let values = |d: usize| format!("{d} dimension{}", if d == 1 { "" } else { "s" });
        match self {
            Self::Dense(d) => format!("dense, {}", values(d)),
            Self::Multi(d) => format!("multi-vector, {}", values(d)),
            Self::Sparse => "sparse".to_owned(),
        }
    }
}

/// A vector beside the main one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorColumn {
    /// The source's name for it.
    pub name: String,
    /// The dataset's column.
    pub column: String,
    /// What it holds.
    pub kind: VectorKind,
}

impl VectorColumn {
    /// The Arrow field: `fixed_size_list<float32>[d]`, `list<list<float32>>` or `struct<indices: list<uint32>, values:
    /// list<float32>>`, nullable. The source's own name is kept in the field's metadata.
    #[must_use]
    pub fn field(&self) -> Field {
        let item = |data_type| Arc::new(Field::new("item", data_type, true));
        let data_type = match self.kind {
            VectorKind::Dense(d) => DataType::FixedSizeList(item(DataType::Float32), dimension_i32(d)),
            VectorKind::Multi(_) => DataType::List(item(DataType::List(item(DataType::Float32)))),
            VectorKind::Sparse => DataType::Struct(
                vec![Field::new("indices", DataType::List(item(DataType::UInt32)), true), Field::new("values", DataType::List(item(DataType::Float32)), true)]
                    .into(),
            ),
        };
        Field::new(&self.column, data_type, true).with_metadata([("vec2lance:name".to_owned(), self.name.clone())].into())
    }
}

/// Arrow's list size. Plans refuse dimensions that do not fit.
#[must_use]
pub fn dimension_i32(dimension: usize) -> i32 {
    i32::try_from(dimension).unwrap_or(i32::MAX)
}

/// All vectors of the dataset. Others are added in the order in which the run meets them; none is ever removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The source's name of the main vector; `None` where sources have one unnamed vector.
    pub main: Option<String>,
    /// Values of the main vector per record. 1 where no record has a dense vector.
    pub dimension: usize,
    /// The others, in column order.
    pub others: Vec<VectorColumn>,
}

impl Layout {
    /// Whether `name` (`None`: unnamed) goes to the column `vector`. An unnamed vector and `default` are the same.
    #[must_use]
    pub fn is_main(&self, name: Option<&str>) -> bool {
        match (self.main.as_deref(), name) {
            (None | Some("default"), None | Some("default")) => true,
            (Some(main), Some(name)) => main == name,
            _ => false,
        }
    }

    /// Index in `others` of the vector with this name and of this family (dense or multi, against sparse).
    #[must_use]
    pub fn other(&self, name: &str, sparse: bool) -> Option<usize> {
        self.others.iter().position(|v| v.name == name && (v.kind == VectorKind::Sparse) == sparse)
    }

    /// Adds a vector and gives it a free column name: `x_vector_<name>` or `x_sparse_<name>`, where characters that SQL and
    /// Lance paths cannot take plainly become `_`, and a number is added if two names would share a column.
    pub fn add(&mut self, name: &str, kind: VectorKind) {
        let prefix = if kind == VectorKind::Sparse { "x_sparse_" } else { "x_vector_" };
        let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
        let taken = |column: &str| self.others.iter().any(|v| v.column.eq_ignore_ascii_case(column));
        let mut column = format!("{prefix}{plain}");
        let mut number = 2;
        while taken(&column) {
            column = format!("{prefix}{plain}_{number}");
            number += 1;
        }
        self.others.push(VectorColumn { name: name.to_owned(), column, kind });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_names_never_share_a_column() {
        let mut layout = Layout { main: None, dimension: 2, others: vec![] };
        for name in ["a.b", "a b", "A_b"] {
            layout.add(name, VectorKind::Dense(2));
        }
        layout.add("a.b", VectorKind::Sparse);
        let columns: Vec<_> = layout.others.iter().map(|v| v.column.as_str()).collect();
        assert_eq!(columns, ["x_vector_a_b", "x_vector_a_b_2", "x_vector_A_b_3", "x_sparse_a_b"]);
        assert_eq!(layout.other("a b", false), Some(1));
        assert!(layout.is_main(None) && layout.is_main(Some("default")) && !layout.is_main(Some("a b")));
    }
}
