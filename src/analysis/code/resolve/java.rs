//! Java: a class is a file at the end of its package's path.

use super::super::Written;
use super::{From, directory, upwards};
use crate::analysis::tree::file_name;
use std::collections::{BTreeSet, HashMap};

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
            let dirs = match dir {
                Some(dir) => vec![dir],
                None => elsewhere(from, package),
            };
            for dir in dirs {
                found.extend(from.directly_in(&dir, ".java", MAX_CLASSES));
            }
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

/// Where a package lies that another module's sources hold: `core/src/main/java/com/acme/core`.
fn elsewhere(from: &From<'_, '_>, package: &str) -> Vec<String> {
    let by_name = from.code.places.java.get_or_init(|| {
        let mut by_name: HashMap<&str, BTreeSet<&str>> = HashMap::new();
        for path in from.tree().under("").iter().filter(|path| path.ends_with(".java")) {
            let dir = directory(path);
            by_name.entry(file_name(dir)).or_default().insert(dir);
        }
        by_name
    });
    // Tests see what is tested, and not the other way round.
    let is_test = |path: &str| path.split('/').any(|part| part == "test");
    let is_it = |dir: &&&str| {
        dir.strip_suffix(package).is_some_and(|start| start.is_empty() || start.ends_with('/'))
            && (!is_test(dir) || is_test(from.path()))
    };
    let dirs = by_name.get(file_name(package)).into_iter().flatten();
    dirs.filter(is_it).map(|dir| (*dir).to_owned()).collect()
}
