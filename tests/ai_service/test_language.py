"""Which language a sentence, and a document, is in."""

import pytest

from riskscan.ai_service.language import identify, identify_all
from riskscan.ai_service.notes import ENGLISH, KHMER

# about projects: the first sentence has to do by itself
PARAGRAPHS = {
    "German": (
        "Der Lieferant der Pumpen ist zahlungsunfähig.",
        "Ohne Ersatz wird das Klärwerk im Herbst nicht fertig.",
        "Die Genehmigung für den Steg fehlt noch, und die Stadt hat bisher nicht geantwortet.",
    ),
    "French": (
        "Le fournisseur des pompes n'a pas confirmé la date de livraison.",
        "Sans pièces de rechange, la station sera arrêtée pendant l'hiver.",
        "Le permis du ponton manque encore et la mairie ne répond plus.",
    ),
    "Spanish": (
        "El proveedor de las bombas no ha confirmado la fecha de entrega.",
        "Sin repuestos, la planta puede quedar parada durante el invierno.",
        "Falta el permiso del muelle y el ayuntamiento todavía no responde.",
    ),
    "Portuguese": (
        "O fornecedor das bombas não confirmou a data de entrega.",
        "Sem peças, a estação pode ficar parada durante o inverno.",
        "Falta ainda a licença do cais e a câmara não responde.",
    ),
    "Italian": (
        "Il fornitore delle pompe non ha confermato la data di consegna.",
        "Senza ricambi l'impianto resterà fermo per tutto l'inverno.",
        "Manca ancora il permesso per il molo e il comune non risponde.",
    ),
    "Dutch": (
        "De leverancier van de pompen heeft de datum niet bevestigd.",
        "Zonder onderdelen staat het gemaal de hele winter stil.",
        "De vergunning voor de steiger ontbreekt nog en de gemeente geeft geen antwoord.",
    ),
    "Swedish": (
        "Leverantören av pumparna har inte bekräftat datumet.",
        "Utan reservdelar står verket stilla hela vintern.",
        "Tillståndet för bryggan saknas och kommunen har ännu inte svarat.",
    ),
    "Danish": (
        "Leverandøren af pumperne har ikke bekræftet datoen.",
        "Uden reservedele står værket stille hele vinteren.",
        "Tilladelsen til broen mangler endnu, og kommunen svarer ikke.",
    ),
    "Norwegian": (
        "Leverandøren av pumpene har ikke bekreftet datoen.",
        "Uten reservedeler står verket stille hele vinteren.",
        "Tillatelsen til brygga mangler ennå, og kommunen har ikke svart.",
    ),
    "Finnish": (
        "Pumppujen toimittaja ei ole vahvistanut toimituspäivää.",
        "Ilman varaosia laitos on pysähdyksissä koko talven.",
        "Laiturin lupa puuttuu vielä, eikä kaupunki ole vastannut.",
    ),
    "Polish": (
        "Dostawca pomp nie potwierdził jeszcze terminu dostawy.",
        "Bez części zamiennych zakład będzie stał przez całą zimę.",
        "Brakuje pozwolenia na pomost, a gmina nie odpowiada.",
    ),
    "Czech": (
        "Dodavatel čerpadel zatím nepotvrdil termín dodání.",
        "Bez náhradních dílů bude čistírna stát celou zimu.",
        "Povolení pro molo stále chybí a město na dopisy neodpovídá.",
    ),
    "Hungarian": (
        "A szivattyúk szállítója még nem erősítette meg a határidőt.",
        "Pótalkatrészek nélkül a telep egész télen állni fog.",
        "A móló engedélye hiányzik, és az önkormányzat nem válaszol.",
    ),
    "Romanian": (
        "Furnizorul de pompe nu a confirmat încă data livrării.",
        "Fără piese de schimb, stația va fi oprită toată iarna.",
        "Autorizația pentru ponton lipsește, iar primăria nu răspunde.",
    ),
    "Turkish": (
        "Pompa tedarikçisi teslim tarihini henüz onaylamadı.",
        "Yedek parça olmadan tesis bütün kış boyunca duracak.",
        "İskele için izin yok ve belediye bugüne kadar yanıt vermedi.",
    ),
    "Indonesian or Malay": (
        "Pemasok pompa belum mengonfirmasi tanggal pengiriman.",
        "Tanpa suku cadang, instalasi akan berhenti sampai musim depan.",
        "Izin untuk dermaga masih belum ada dan pemerintah kota tidak menjawab.",
    ),
    "Vietnamese": (
        "Nhà cung cấp máy bơm chưa xác nhận ngày giao hàng.",
        "Nếu không có phụ tùng, trạm sẽ phải dừng suốt mùa đông.",
        "Giấy phép xây cầu tàu vẫn thiếu và thành phố không trả lời.",
    ),
    "Swahili": (
        "Msambazaji wa pampu bado hajathibitisha tarehe ya kuleta vifaa.",
        "Bila vipuri, kituo kitasimama hadi mwisho wa mwaka.",
        "Kibali cha gati hakijapatikana na manispaa haijajibu barua zetu.",
    ),
    "Tagalog": (
        "Hindi pa kinukumpirma ng tagatustos ang petsa ng paghahatid.",
        "Kapag walang piyesa, titigil ang planta sa buong tag-ulan.",
        "Wala pa ang permiso para sa pantalan at hindi sumasagot ang munisipyo.",
    ),
    "Russian": (
        "Поставщик насосов не подтвердил срок поставки.",
        "Без запасных частей станция будет стоять всю зиму.",
        "Разрешения на причал нет, и мэрия не отвечает.",
    ),
    "Ukrainian": (
        "Постачальник насосів ще не підтвердив дату поставки.",
        "Без запчастин станція стоятиме всю зиму.",
        "Дозволу на причал немає, а міська рада не відповідає.",
    ),
    "Greek": (
        "Ο προμηθευτής των αντλιών δεν επιβεβαίωσε την ημερομηνία.",
        "Χωρίς ανταλλακτικά ο σταθμός θα μείνει κλειστός τον χειμώνα.",
        "Η άδεια για την προβλήτα λείπει ακόμη.",
    ),
    "Arabic": (
        "لم يؤكد مورد المضخات موعد التسليم بعد.",
        "بدون قطع الغيار ستتوقف المحطة طوال الشتاء.",
        "لا يزال تصريح الرصيف مفقودا ولم ترد البلدية.",
    ),
    "Hebrew": (
        "ספק המשאבות עדיין לא אישר את מועד האספקה.",
        "בלי חלקי חילוף התחנה תעמוד כל החורף.",
        "האישור למזח חסר והעירייה לא עונה.",
    ),
    "Hindi": (
        "पंप के आपूर्तिकर्ता ने अभी तक तारीख की पुष्टि नहीं की है।",
        "पुर्जों के बिना संयंत्र पूरी सर्दी बंद रहेगा।",
        "घाट की अनुमति अब भी नहीं मिली है।",
    ),
    "Thai": (
        "ผู้จัดหาปั๊มยังไม่ยืนยันวันส่งมอบ",
        "หากไม่มีอะไหล่ โรงงานจะต้องหยุดตลอดฤดูฝน",
        "ใบอนุญาตท่าเรือยังไม่ออก",
    ),
    "Lao": (
        "ຜູ້ສະໜອງປໍ້າຍັງບໍ່ໄດ້ຢືນຢັນວັນສົ່ງ",
        "ຖ້າບໍ່ມີອາໄຫຼ່ ໂຮງງານຈະຢຸດ",
        "ໃບອະນຸຍາດທ່າເຮືອຍັງບໍ່ທັນອອກ",
    ),
    "Burmese": (
        "ပန့်ပေးသွင်းသူက ပို့ဆောင်မည့်ရက်ကို အတည်မပြုသေးပါ။",
        "အပိုပစ္စည်းမရှိလျှင် စက်ရုံရပ်နားရမည်။",
        "ဆိပ်ခံတံတားအတွက် ခွင့်ပြုချက် မရသေးပါ။",
    ),
    "Chinese": (
        "水泵供应商尚未确认交货日期。",
        "没有备件，泵站整个冬天都要停运。",
        "码头许可证还没有批下来，市政府也没有答复。",
    ),
    "Japanese": (
        "ポンプの納入業者はまだ納期を確認していない。",
        "予備の部品がなければ、施設は冬の間止まる。",
        "桟橋の許可はまだ下りておらず、市からの返事もない。",
    ),
    "Korean": (
        "펌프 공급업체가 아직 납품일을 확인하지 않았다.",
        "예비 부품이 없으면 시설은 겨울 내내 멈춘다.",
        "부두 허가가 아직 나오지 않았고 시청은 답이 없다.",
    ),
    "Slovak": (
        "Dodávateľ čerpadiel zatiaľ nepotvrdil termín dodania.",
        "Bez náhradných dielov bude čistiareň stáť celú zimu.",
        "Povolenie pre mólo stále chýba a mesto na listy neodpovedá.",
    ),
    "Croatian": (
        "Dobavljač crpki još nije potvrdio datum isporuke.",
        "Bez rezervnih dijelova postrojenje će stajati cijelu zimu.",
        "Dozvola za pristanište nedostaje, a grad ne odgovara na dopise.",
    ),
    "Bulgarian": (
        "Доставчикът на помпите все още не е потвърдил срока.",
        "Без резервни части станцията ще спре през зимата.",
        "Разрешението за кея липсва и общината не отговаря.",
    ),
    "Catalan": (
        "El proveïdor de les bombes encara no ha confirmat la data.",
        "Sense recanvis, la planta estarà aturada tot l'hivern.",
        "Falta el permís del moll i l'ajuntament no respon amb cap data.",
    ),
    "Persian": (
        "تأمین‌کننده پمپ‌ها هنوز تاریخ تحویل را تأیید نکرده است.",
        "بدون قطعات یدکی ایستگاه در زمستان کار نخواهد کرد.",
        "مجوز اسکله هنوز صادر نشده است.",
    ),
}

ENGLISH_TEXTS = [
    "Server down!",
    "Budget overrun",
    "TBC",
    "Delay.",
    "No permit yet",
    "R-12 | High | Ana de la Cruz | Open",
    "SUPPLIER INSOLVENT - NO REPLACEMENT FOUND",
    "NO SPARE PUMPS ON SITE. CONTRACTOR NOT PAID.",
    "API, SLA, VPN, SSO, MFA, DNS, CDN",
    "KPI OKR EBITDA CAPEX OPEX",
    "Juan de la Cruz, María del Carmen Pérez and José de los Santos have not signed.",
    "Ursula von der Leyen, Jan van den Berg, Anne-Marie de Vries",
    "Universidad Nacional de la Plata",
    "Müller & Söhne GmbH, Königstraße 5, 70173 Stuttgart",
    "Société Générale, 29 boulevard Haussmann, 75009 Paris",
    "Rua da Boavista 12, Lisboa; Calle de Alcalá 4, Madrid",
    "Damage is borne pro rata save in case of force majeure.",
    "Inter alia, the Lessor may, mutatis mutandis, terminate de facto and ex gratia.",
    "Force majeure",
    "Pro rata temporis; per diem; in situ; ad hoc; et al.",
    "The Parties hereto agree, notwithstanding the foregoing, that time is of the essence.",
    "Kindly do the needful and revert at the earliest, the said lorry is not yet reached godown.",
    "Contractor also don't have permit lah, so how to start piling?",
    "The Phnom Penh sangkat office has not stamped the certificate for Borey Peng Huoth.",
    "Oknha Sok Kong and Neak Oknha Ly Yong Phat will chair the kick off.",
    "The word der was printed twice on the sign at the pier.",
    "The café in La Rochelle closed; the façade is cracked and the maître d'hôtel has left.",
    "The Ministerium für Umwelt und Verkehr has not approved the crossing.",
    "Gerät XR-5 failed the El Niño test run in Santa Fe de Bogotá.",
    "The de minimis clause and the la carte fee are void.",
    "for i in range(10): print(el, la, un)",
    "const el = document.getElementById('de'); if (!el) return;",
    "sudo apt install libpq-dev && psql -h db -U app",
    "SELECT id, name FROM clients WHERE state = 'open';",
    "see https://example.com/de/la/les/que.html?la=de&el=un",
    "Rebar, formwork, shuttering, scaffolding, piling",
    "asap pls - vendor ghosting us",
    "plz fix teh paymnt isue tmrw",
    "wk 12: pier piling 40% / deck nil",
    "Tan Wei Ming, Nguyen Van An, Siti binti Ahmad, Kofi Mensah",
    "Supplier 中国铁路工程 may fail.",
    "The clause “höhere Gewalt” is not translated.",
    "The α error of the Москва office is unknown.",
    "The pumps came from Łódź, Århus, Kraków and Đà Nẵng.",
    "I am in a do or die of an on me at as is so no.",
    "To be or not to be on time?",
    "Cost +12 %, date -3 wk",
    "NIRMAL K. MINDA & ASSOCIATES",
    "DE LA SALLE UNIVERSITY, LOS BAÑOS",
    "VITA LI BI S. INC.",
    "Biased recommendati ons affecting intern ational guests of the pi er",
    "Nil.",
    "N/A",
]

KHMER_TEXTS = [
    "ថវិកាគម្រោងមិនគ្រប់គ្រាន់ទេ។",
    "ប្រព័ន្ធ SAP ERP មិនទាន់ដំណើរការ និង API gateway មានបញ្ហា។",
    "អ្នកផ្គត់ផ្គង់ Siemens Energy និង Hitachi Zosen Inova មិនបានផ្ញើ delivery schedule ទេ។",
]


@pytest.mark.parametrize("language", PARAGRAPHS)
def test_one_sentence_tells_its_language(language: str) -> None:
    assert identify(PARAGRAPHS[language][0]) == language


@pytest.mark.parametrize("language", PARAGRAPHS)
def test_every_sentence_of_a_paragraph_is_in_its_language(language: str) -> None:
    assert identify_all(PARAGRAPHS[language]) == [language] * 3
    # English before and after it stays English
    english = "The tide table of the harbour has not been checked."
    mixed = identify_all([english, *PARAGRAPHS[language], english])
    assert mixed == [ENGLISH, *[language] * 3, ENGLISH]


@pytest.mark.parametrize("text", ENGLISH_TEXTS)
def test_english_is_never_taken_for_another_language(text: str) -> None:
    assert identify_all([text]) == [ENGLISH]


def test_fragments_of_an_english_document_stay_english() -> None:
    sentence = "The tide table of the harbour has not been checked."
    assert set(identify_all([sentence, *ENGLISH_TEXTS, sentence])) == {ENGLISH}


@pytest.mark.parametrize("text", KHMER_TEXTS)
def test_khmer_with_english_terms_is_khmer(text: str) -> None:
    assert identify(text) == KHMER


def test_fragments_follow_the_sentences_around_them() -> None:
    german = PARAGRAPHS["German"]
    fragments = ["Lieferverzug", "Risiko: Frost", "Kosten Stahlbau"]
    assert identify_all([german[0], *fragments, german[1]]) == ["German"] * 5
    # at the start and at the end of what is read together
    assert identify_all([*fragments, german[0], *fragments]) == ["German"] * 7
    assert identify_all(fragments, "German") == ["German"] * 3
    # between two languages, and where English has the words
    english = "The tide table of the harbour has not been checked."
    assert identify_all([german[0], *fragments, english]) == ["German", *[ENGLISH] * 4]
    assert identify_all([german[0], "Budget overrun", "Late delivery"]) == ["German", ENGLISH, ENGLISH]


def test_languages_alternate_in_a_bilingual_contract() -> None:
    pairs = [
        (
            "The Tenant pays the rent by the third day of each month.",
            "Der Mieter zahlt die Miete bis zum dritten Tag jedes Monats.",
        ),
        ("Rent", "Miete"),
        (
            "The Landlord may end this lease without notice.",
            "Der Vermieter darf diesen Vertrag fristlos kündigen.",
        ),
    ]
    found = identify_all([text for pair in pairs for text in pair])
    assert found == [ENGLISH, "German", ENGLISH, ENGLISH, ENGLISH, "German"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (
            "Der Rollout der neuen Release Pipeline ist on hold, weil das Budget nicht approved wurde.",
            "German",
        ),
        ("Le reporting du sprint backlog n'est pas dans le dashboard du project manager.", "French"),
        ("由于 AWS Lambda 的延迟，API Gateway 可能无法按时上线。", "Chinese"),
        ("クラウド移行の Kickoff が Data Center の都合で遅れている。", "Japanese"),
        ("Миграция на Kubernetes задерживается из-за Load Balancer.", "Russian"),
        ("CONTRATO DE ARRENDAMIENTO: EL INQUILINO NO PUEDE RESCINDIR SIN AVISO.", "Spanish"),
    ],
)
def test_english_terms_do_not_make_a_sentence_english(text: str, language: str) -> None:
    assert identify(text) == language
