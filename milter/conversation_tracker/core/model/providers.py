"""Domains that many people share: one of them in a Message-ID tells nobody apart.

The large public mail providers, by number of mailboxes. A provider that is missing here costs
nothing but a replaced Message-ID; so the list need not be complete.
"""

PUBLIC = frozenset(
    """
    126.com 139.com 163.com aim.com alice.it aliyun.com aol.com att.net bellsouth.net bigpond.com
    bluewin.ch bol.com.br bt.com btinternet.com charter.net comcast.net cox.net daum.net
    earthlink.net fastmail.com free.fr freenet.de gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net
    googlemail.com hanmail.net hey.com hotmail.co.uk hotmail.com hotmail.de hotmail.es hotmail.fr
    hotmail.it icloud.com ig.com.br inbox.lv interia.pl juno.com laposte.net libero.it live.com
    live.fr live.nl mac.com mail.com mail.ru mailbox.org me.com msn.com naver.com ntlworld.com
    o2.pl onet.pl online.de orange.fr outlook.com outlook.com.br outlook.de outlook.fr posteo.de
    proton.me protonmail.com qq.com rambler.ru rediffmail.com rocketmail.com sapo.pt sbcglobal.net
    seznam.cz sfr.fr shaw.ca sina.com sky.com skynet.be sympatico.ca t-online.de talktalk.net
    telenet.be telus.net terra.com.br tiscali.it tuta.com tutanota.com uol.com.br verizon.net
    virgilio.it virginmedia.com vodafone.de wanadoo.fr web.de wp.pl ya.ru yahoo.ca yahoo.co.id
    yahoo.co.in yahoo.co.jp yahoo.co.uk yahoo.com yahoo.com.ar yahoo.com.br yahoo.com.mx yahoo.de
    yahoo.es yahoo.fr yahoo.in yahoo.it yandex.com yandex.ru ymail.com zoho.com
    """.split()
)
