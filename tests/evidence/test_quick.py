import time
def test_q(case):
    t=time.time()
    case.lines("Nov 24 12:09:24 mx postfix/qmgr[3728]: E229775C: from=<alice@example.test>, size=441, nrcpt=2 (queue active)")
    print(time.time()-t)
    print(case.row("messages"), case.counts())
    t=time.time()
    case.read(case.folder/"logs"/"mail.log")
    print(time.time()-t)
