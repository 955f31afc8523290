//! Which vector goes to which column: the main one to `vector`, every other to `x_vector_<name>` or `x_sparse_<name>`.
//!
//! Not the values: those are appended by [`super::builder`].

use std::sync::Arc;

use arrow_schema::{DataType, Field};

use super::element::{ELEMENT, Element};
use super::promote::PromotedColumn;

/// The key of a multi-vector column's field metadata that holds the values per row, which no Arrow type says.
pub const MULTI: &str = "vec2lance:dimension";

/// What one named vector is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum VectorKind {
    /// So many values.
    Dense(usize, Element),
    /// Any number of rows of so many values each.
    Multi(usize, Element),
    /// Pairs of a uint32 index and a float32 value.
    Sparse,
}

impl VectorKind {
    /// Short text for reports: `dense, 384 dimensions`, `dense, 384 dimensions of float16`.
    #[must_use]
    pub fn describe(self) -> String {
        let values = |d: usize, e: Element| {
            let of = if e == Element::Float32 { String::new() } else { format!(" of {}", e.name()) };
            format!("{d} dimension{}{of}", if d == 1 { "" } else { "s" })
        };
        match self {
            Self::Dense(d, e) => format!("dense, {}", values(d, e)),
            Self::Multi(d, e) => format!("multi-vector, {}", values(d, e)),
            Self::Sparse => "sparse".to_owned(),
        }
    }

    /// Values in one vector, or in one row of a multi-vector; of a sparse one, nobody knows.
    #[must_use]
    pub fn dimension(self) -> Option<usize> {
        match self {
            Self::Dense(d, _) | Self::Multi(d, _) => Some(d),
            Self::Sparse => None,
        }
    }

    /// The type of its values.
    #[must_use]
    pub fn element(self) -> Element {
        match self {
            Self::Dense(_, e) | Self::Multi(_, e) => e,
            Self::Sparse => Element::Float32,
        }
    }

    /// Whether it can be the main vector.
    #[must_use]
    pub fn can_be_main(self) -> bool {
        matches!(self, Self::Dense(_, e) if e != Element::Binary)
    }
}

/// A vector beside the main one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct VectorColumn {
    /// The source's name for it.
    pub name: String,
    /// The dataset's column.
    pub column: String,
    /// What it holds.
    pub kind: VectorKind,
}

impl VectorColumn {
    /// The Arrow field: `fixed_size_list<T>[d]`, `list<fixed_size_list<T>[d]>` or `struct<indices: list<uint32>, values: list<float32>>`,
    /// nullable. The source's own name is kept in the field's metadata, and what no Arrow type says.
    #[must_use]
    pub fn field(&self) -> Field {
        let item = |data_type| Arc::new(Field::new("item", data_type, true));
        let fixed = |d: usize, e: Element| DataType::FixedSizeList(Arc::new(e.item()), dimension_i32(e.items(d)));
        let data_type = match self.kind {
            VectorKind::Dense(d, e) => fixed(d, e),
            VectorKind::Multi(d, e) => DataType::List(item(fixed(d, e))),
            VectorKind::Sparse => DataType::Struct(
                vec![Field::new("indices", DataType::List(item(DataType::UInt32)), true), Field::new("values", DataType::List(item(DataType::Float32)), true)]
                    .into(),
            ),
        };
        let mut metadata: std::collections::HashMap<String, String> = [(super::schema::VECTOR_NAME.to_owned(), self.name.clone())].into();
        if let VectorKind::Multi(d, _) = self.kind {
            metadata.insert(MULTI.to_owned(), d.to_string());
        }
        if self.kind.element() != Element::Float32 {
            metadata.insert(ELEMENT.to_owned(), self.kind.element().name().to_owned());
        }
        Field::new(&self.column, data_type, true).with_metadata(metadata)
    }

    /// The vector that a column of a dataset holds; `None` for other columns.
    #[must_use]
    pub fn of(field: &Field) -> Option<Self> {
        let name = field.metadata().get(super::schema::VECTOR_NAME)?.clone();
        let told = field.metadata().get(ELEMENT).and_then(|e| Element::named(e));
        let fixed = |kind: &DataType| match kind {
            DataType::FixedSizeList(item, items) => {
                let element = told.or_else(|| Element::of(item.data_type()))?;
                let items = usize::try_from(*items).ok()?;
                Some((if element == Element::Binary { items * 8 } else { items }, element))
            }
            _ => None,
        };
        let kind = match field.data_type() {
            DataType::Struct(_) => VectorKind::Sparse,
            DataType::List(rows) => fixed(rows.data_type()).map(|(d, e)| VectorKind::Multi(d, e))?,
            other => fixed(other).map(|(d, e)| VectorKind::Dense(d, e))?,
        };
        Some(Self { name, column: field.name().clone(), kind })
    }
}

/// Arrow's list size. Plans refuse dimensions that do not fit.
#[must_use]
pub fn dimension_i32(dimension: usize) -> i32 {
    i32::try_from(dimension).unwrap_or(i32::MAX)
}

/// All vectors of the dataset. Others are added in the order in which the run meets them; none is ever removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Layout {
    /// The source's name of the main vector; `None` where sources have one unnamed vector.
    pub main: Option<String>,
    /// Values of the main vector per record. 1 where no record has a dense vector.
    pub dimension: usize,
    /// The others, in column order.
    pub others: Vec<VectorColumn>,
    /// Payload fields with a typed column of their own, in column order. Fixed before the first record is written.
    #[serde(default)]
    pub promoted: Vec<PromotedColumn>,
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
    fn a_column_says_what_it_holds() {
        for element in Element::ALL {
            for kind in [VectorKind::Dense(24, element), VectorKind::Multi(24, element), VectorKind::Sparse] {
                let column = VectorColumn { name: "a b".to_owned(), column: "x_vector_a_b".to_owned(), kind };
                assert_eq!(VectorColumn::of(&column.field()), Some(column));
            }
        }
    }

    #[test]
    fn two_names_never_share_a_column() {
        let mut layout = Layout { main: None, dimension: 2, ..Layout::default() };
        for name in ["a.b", "a b", "A_b"] {
            layout.add(name, VectorKind::Dense(2, Element::Float32));
        }
        layout.add("a.b", VectorKind::Sparse);
        let columns: Vec<_> = layout.others.iter().map(|v| v.column.as_str()).collect();
        assert_eq!(columns, ["x_vector_a_b", "x_vector_a_b_2", "x_vector_A_b_3", "x_sparse_a_b"]);
        assert_eq!(layout.other("a b", false), Some(1));
        assert!(layout.is_main(None) && layout.is_main(Some("default")) && !layout.is_main(Some("a b")));
    }
}
