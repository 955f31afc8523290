//! Changes to a dataset that is there: columns added, rows deleted by address, fragments appended. Each is a commit of its own;
//! [`super::version::seal`] makes one version of all.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Schema, SchemaRef};
use lance::dataset::transaction::{Operation, Transaction};
use lance::dataset::{CommitBuilder, NewColumnTransform};
use roaring::RoaringTreemap;

use super::commit::Opened;
use super::write::Written;
use super::{Engine, lance_error};
use crate::error::{Error, Result};
use crate::frame::promote::PromotedColumn;
use crate::frame::vectors::{Layout, VectorColumn};

impl Opened {
    /// The vectors that its columns hold. The main one's name is told by the headers ([`Self::main_vector`]), not by a column.
    ///
    /// # Errors
    /// It has no column `vector`.
    pub fn layout(&self) -> Result<Layout> {
        let schema = self.schema();
        let dimension = |kind: &DataType| match kind {
            DataType::FixedSizeList(_, d) => usize::try_from(*d).ok(),
            _ => None,
        };
        let main = schema.field_with_name("vector").ok().and_then(|f| dimension(f.data_type()));
        let main = main.ok_or_else(|| Error::new("the dataset has no column vector of type fixed_size_list<float32>"))?;
        let mut layout = Layout { main: None, dimension: main, ..Layout::default() };
        layout.promoted.extend(schema.fields().iter().filter_map(|field| PromotedColumn::of(field)));
        layout.others.extend(schema.fields().iter().filter_map(|field| VectorColumn::of(field)));
        Ok(layout)
    }

    /// Adds the columns of `wanted` that are missing, null in every row. The others must be there with the types that they have in
    /// `wanted`, and in its order.
    ///
    /// # Errors
    /// Columns were changed by another program.
    pub fn widen(&mut self, engine: &Engine, wanted: &SchemaRef) -> Result<()> {
        let failed = |e: lance::Error| lance_error("add a column", &e);
        let there = self.schema();
        let missing: Vec<_> = wanted.fields().iter().filter(|f| there.field_with_name(f.name()).is_err()).cloned().collect();
        if !missing.is_empty() {
            let transform = NewColumnTransform::AllNulls(Arc::new(Schema::new(missing)));
            engine.block_on(self.dataset.add_columns(transform, None, None)).map_err(failed)?;
        }
        // Fragments name columns by number: written under a fresh schema, their numbers must be those of the dataset.
        let numbers = |schema: &lance_core::datatypes::Schema| -> BTreeMap<String, i32> {
            schema.fields_pre_order().map(|f| (schema.field_path(f.id).unwrap_or_else(|_| f.name.clone()), f.id)).collect()
        };
        let fresh = lance_core::datatypes::Schema::try_from(wanted.as_ref()).map_err(failed)?;
        let (fresh, own) = (numbers(&fresh), numbers(self.dataset.schema()));
        if let Some((name, _)) = fresh.iter().find(|(name, id)| own.get(*name) != Some(*id)) {
            return Err(Error::new(format!("the dataset's column {name} is not where vec2lance has written it: its columns were changed by another program"))
                .help("convert all dumps into a new dataset"));
        }
        Ok(())
    }

    /// Deletes rows by their addresses.
    ///
    /// # Errors
    /// The disk is full, or the dataset cannot be read.
    pub fn delete_addresses(&mut self, engine: &Engine, addresses: &RoaringTreemap) -> Result<()> {
        let failed = |e: lance::Error| lance_error("delete rows", &e);
        let (mut updated, mut removed) = (Vec::new(), Vec::new());
        for (fragment, offsets) in addresses.bitmaps() {
            let Some(fragment) = self.dataset.get_fragment(fragment as usize) else { continue };
            let id = fragment.id() as u64;
            match engine.block_on(fragment.extend_deletions(offsets.iter())).map_err(failed)? {
                Some(fragment) => updated.push(fragment.metadata().clone()),
                None => removed.push(id),
            }
        }
        let operation = Operation::Delete { updated_fragments: updated, deleted_fragment_ids: removed, predicate: "rows by address".to_owned() };
        self.execute(engine, operation)
    }

    /// Adds fragments after all others.
    ///
    /// # Errors
    /// They do not fit the dataset.
    pub fn append(&mut self, engine: &Engine, fragments: Vec<Written>) -> Result<()> {
        self.execute(engine, Operation::Append { fragments: fragments.into_iter().map(|f| f.0).collect() })
    }

    fn execute(&mut self, engine: &Engine, operation: Operation) -> Result<()> {
        let transaction = Transaction::new(self.version(), operation, None);
        let committed = engine.block_on(CommitBuilder::new(Arc::new(self.dataset.clone())).execute(transaction));
        self.dataset = committed.map_err(|e| lance_error("commit the change", &e))?;
        Ok(())
    }
}
