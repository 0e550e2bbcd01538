//! What is followed, on a real file system.

use notify::{EventHandler, WatcherKind};

use super::*;

/// Follows a directory and those below it.
fn places(dir: &Path) -> Places {
    let mut places = Places::default();
    places.add_tree(dir);
    places
}

fn follower(dir: &Path) -> Follower {
    let mut follower = Follower::new(vec![dir.join("output")]);
    assert!(follower.follow(places(dir), false));
    follower
}

/// Waits for a change of this file.
async fn wait_for(follower: &mut Follower, path: &Path) {
    while follower.next().await.path.as_deref() != Some(path) {}
}

/// Judges all that has happened so far, and follows what has come back. What happens in
/// followed directories is told in its order, so a file of ours in one of them comes last.
async fn catch_up(follower: &mut Follower, dir: &Path) {
    let last = tempfile::NamedTempFile::new_in(dir).unwrap();
    loop {
        let noticed = follower.noticed.recv().await.unwrap();
        let is_last = noticed.path.as_deref() == Some(last.path());
        let _ = follower.judge(noticed);
        if is_last {
            return follower.renew();
        }
    }
}

#[tokio::test]
async fn what_goes_and_comes_back_is_followed() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().canonicalize().unwrap();
    let (dir, inner) = (root.join("dir"), root.join("dir/inner"));
    fs::create_dir_all(&inner).unwrap();
    let mut follower = follower(&dir);
    let file = inner.join("a.go");
    for _ in 0..3 {
        fs::write(&file, "a").unwrap();
        wait_for(&mut follower, &file).await;
        fs::remove_dir_all(&dir).unwrap();
        wait_for(&mut follower, &dir).await;
        catch_up(&mut follower, &root).await;
        fs::create_dir_all(&inner).unwrap();
        wait_for(&mut follower, &dir).await;
        catch_up(&mut follower, &root).await;
    }
    fs::rename(&dir, root.join("away")).unwrap();
    wait_for(&mut follower, &dir).await;
    catch_up(&mut follower, &root).await;
    fs::rename(root.join("away"), &dir).unwrap();
    wait_for(&mut follower, &dir).await;
    catch_up(&mut follower, &root).await;
    fs::write(&file, "b").unwrap();
    wait_for(&mut follower, &file).await;
}

#[tokio::test]
async fn a_directory_has_all_its_names() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().canonicalize().unwrap();
    fs::create_dir_all(root.join("real")).unwrap();
    std::os::unix::fs::symlink("real", root.join("link")).unwrap();
    let mut follower = follower(&root.join("link"));
    fs::write(root.join("real/a.go"), "a").unwrap();
    wait_for(&mut follower, &root.join("link/a.go")).await;
    // What it leads to may be replaced where it is.
    fs::remove_dir_all(root.join("real")).unwrap();
    fs::create_dir(root.join("real")).unwrap();
    wait_for(&mut follower, &root.join("real")).await;
    catch_up(&mut follower, &root).await;
    fs::write(root.join("link/b.go"), "b").unwrap();
    wait_for(&mut follower, &root.join("link/b.go")).await;
}

#[tokio::test]
async fn what_we_write_is_no_change() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().canonicalize().unwrap();
    let mut follower = follower(&root);
    for name in ["output", ".ko-x1", "a.go"] {
        fs::write(root.join(name), "").unwrap();
    }
    fs::read(root.join("a.go")).unwrap();
    assert_eq!(follower.next().await.path, Some(root.join("a.go")));
}

/// The system has no more to give.
#[derive(Debug)]
struct Full(usize);

impl Watcher for Full {
    fn new<F: EventHandler>(_: F, _: notify::Config) -> notify::Result<Self> {
        Ok(Self(0))
    }

    fn watch(&mut self, _: &Path, _: RecursiveMode) -> notify::Result<()> {
        let more = self.0.checked_sub(1);
        self.0 = more.ok_or(notify::Error::new(ErrorKind::MaxFilesWatch))?;
        Ok(())
    }

    fn unwatch(&mut self, _: &Path) -> notify::Result<()> {
        Ok(())
    }

    fn kind() -> WatcherKind {
        WatcherKind::NullWatcher
    }
}

#[tokio::test]
async fn where_the_system_has_no_more_to_give_files_are_polled() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().canonicalize().unwrap();
    fs::create_dir(root.join("inner")).unwrap();
    let mut follower = Follower::new(Vec::new());
    follower.source = Source { watcher: Box::new(Full(2)), polls: false };
    follower.interval = Duration::from_millis(10);
    assert!(follower.follow(places(&root), false));
    assert!(follower.polls());
    let file = root.join("inner/a.go");
    fs::write(&file, "a").unwrap();
    wait_for(&mut follower, &file).await;
    fs::write(&file, "other").unwrap();
    wait_for(&mut follower, &file).await;
}

#[test]
fn a_limit_is_named_with_the_way_to_raise_it() {
    let said = |error| match reason(&error) {
        (what, Some(hint)) => format!("{what}\n{hint}"),
        (what, None) => what,
    };
    let full = said(notify::Error::new(ErrorKind::MaxFilesWatch));
    assert!(full.contains("sudo sysctl fs.inotify.max_user_watches=1048576"), "{full}");
    let io = |code| notify::Error::io(std::io::Error::from_raw_os_error(code));
    let instances = said(io(24));
    assert!(instances.contains("sudo sysctl fs.inotify.max_user_instances="), "{instances}");
    assert!(said(io(38)).starts_with("The system does not notify of changes ("));
}
