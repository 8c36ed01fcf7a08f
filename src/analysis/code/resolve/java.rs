//! Java: a class is a file at the end of its package's path.

use super::super::Written;
use super::{From, upwards};
use std::collections::BTreeSet;

/// Classes of a package that `import a.b.*` may stand for; of more, none is meant in particular.
const MAX_CLASSES: usize = 32;

pub(super) fn resolve(from: &From<'_, '_>, written: &Written, found: &mut BTreeSet<usize>) {
    if ["java.", "javax."].iter().any(|own| written.text.starts_with(own)) {
        return;
    }
    let path = written.text.replace('.', "/");
    if let Some(package) = path.strip_suffix("/*") {
        if written.names.is_empty() {
            // Beside this file's own package, from the root of the sources they share.
            let roots =
                upwards(from.dir()).map(|dir| super::join(dir, package).unwrap_or_default());
            let dir = roots.into_iter().find(|dir| from.tree().has_directory(dir));
            found.extend(
                dir.map(|dir| from.directly_in(&dir, ".java", MAX_CLASSES)).into_iter().flatten(),
            );
        } else {
            found.extend(from.by_end(&format!("{package}.java")));
        }
        return;
    }
    // A member or an inner class is in the file of its class.
    let mut class = path.as_str();
    for _ in 0..3 {
        if let Some(file) = from.by_end(&format!("{class}.java")) {
            found.insert(file);
            return;
        }
        let Some((outer, _)) = class.rsplit_once('/') else { return };
        class = outer;
    }
}
