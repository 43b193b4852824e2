"""mitmdump -s addon/route.py --mode reverse:http://127.0.0.1:9@127.0.0.1:8082 --set turnout_config=mitm.conf"""

import os
import sys
from pathlib import Path

# In a checkout this file stands beside the package; in a wheel inside it, in a folder of its own, because mitmproxy
# puts the folder of a script on the import path and the package has a room named like a standard module (inspect).
_here = Path(__file__).resolve().parent
_package = _here.parent if _here.name == "entry" else _here / "turnout"
if str(_package.parent) not in sys.path:
    sys.path.insert(0, str(_package.parent))

# mitmproxy loads this file again when it changes, but not what it imports: forget the package when it was edited, also
# the part of it that an edit with a mistake has left behind.
_stamp = {str(file): os.stat(file).st_mtime_ns for file in _package.rglob("*.py")}
if vars(sys.modules.get("turnout", sys)).get("loaded_as", _stamp) != _stamp:
    for _name in [name for name in sys.modules if name.partition(".")[0] == "turnout"]:
        del sys.modules[_name]

import turnout  # noqa: E402

vars(turnout)["loaded_as"] = _stamp
from turnout.addon import Turnout  # noqa: E402

addons = [Turnout(Path(os.path.abspath(__file__)))]
