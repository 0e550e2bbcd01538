#!/bin/sh
# rustdoc with its unstable options. Set for cargo, the variable would have all
# dependencies compiled again.
RUSTC_BOOTSTRAP=1 exec rustdoc "$@"
