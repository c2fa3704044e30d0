/* SPDX-License-Identifier: GPL-2.0 */
#include <isa-l/igzip_lib.h>
#include <libdeflate.h>
#include <sys/prctl.h>
#include <zlib.h>
#include <zstd.h>
