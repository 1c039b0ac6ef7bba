"""The programs in `correct/` are run by their test, not collected."""

collect_ignore_glob = ["correct/*"]
