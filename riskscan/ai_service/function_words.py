"""Function words, a few dozen for each language: what sentences have whatever they are about."""

# with the usual Latin and French phrases of contracts
ENGLISH_WORDS = """
a about above after again against all almost already also although always am among an and another any anyone
anything are aren around as at away be because been before being below between both but by can cannot could
couldn did didn do does doesn doing don done down due during each either else etc even ever every everything
few first for from further get gets give given go goes had has hasn have haven having he hence her here hers
him his how however i if in instead into is isn it its itself just last later least less let like ll made
make makes many may me might more most much must my need needs neither never new next no nobody none nor not
nothing now of off often on once one only onto or other others our ours out over own per perhaps please re s
same second see several shall she should shouldn since so some someone something soon still such t than that
the their theirs them themselves then there these they this those though three through thus till to together
too towards two under unless until up upon us ve very via was wasn we well were weren what whatever when
where whereas whether which while who whole whom whose why will with within without won would wouldn yes yet
you your yours ad al alia bona diem et facie facto fide force gratia hoc inter ipso jure lieu majeure
mutandis mutatis prima pro quo rata situ status temporis ultra vires vis
"""

# between two capitalized words these are parts of a name: Juan de la Cruz, Ursula von der Leyen
NAME_PARTICLES = """
al bin da das de degli dei del della den der di do dos du e el en et i la las le les los na o te ten ter und
van vom von y zu zum zur d' l' dell'
"""

# they decide together, so a word may be in several lists; of equals the first language is taken
FUNCTION_WORDS = {
    "German": """
        der die das und ist nicht mit den von zu ein eine auf für im dem des sich wird werden auch es sind
        wurde noch nach bei aus einer einem eines einen als bis zum zur über oder hat haben kann können muss
        müssen soll sollen wenn dass daß nur aber durch vor wegen ohne unter unser unsere kein keine mehr
        sehr wir sie er ihr ihre seine diese dieser dieses diesem diesen alle alles wie so um am vom beim
        gegen zwischen seit während bereits derzeit jedoch sowie war waren wurden worden sein nichts falls
        sobald dann damit daher deshalb obwohl weil ob hier dort immer wieder jetzt neue neuen neuer zwei
        drei ich mich uns man was wer welche darf dürfen sollte könnte würde wäre hatte hatten ab in an
        """,
    "French": """
        le la les de des du un une et est en que qui pas ne dans pour sur par au aux avec ce cette ces il
        elle ils elles nous vous se sa son ses leur leurs ou où mais plus sont été être a ont avait avoir
        sera seront peut peuvent doit doivent fait comme si sans sous entre après avant depuis pendant jusqu
        contre chez dont lors afin car donc ainsi aussi encore déjà très tout tous toute toutes notre nos
        votre aucun aucune même n'est l' d' qu' n' s' c' j' selon était étaient serait pourrait quand
        lorsque deux trois y
        """,
    "Spanish": """
        el la los las de del un una unos unas y en que no se es por con para al lo como más pero sus su le
        les ha han está están son ser fue fueron sin sobre entre hasta desde cuando donde si ya también muy
        todo todos toda todas este esta estos estas ese esa eso nos nuestro nuestra hay porque aunque
        durante según antes después aún ni o u puede pueden debe deben será serán había sido tiene tienen
        contra cada otro otra otros nuevo nueva dos tres qué así mientras
        """,
    "Portuguese": """
        o a os as de do da dos das um uma e em no na nos nas que não se é por com para ao aos à às como mais
        mas seu sua seus suas foi foram está estão são ser sem sobre entre até desde quando onde já também
        muito todo todos toda todas este esta estes estas esse essa isso nosso nossa há porque embora
        durante segundo antes depois ainda nem ou pode podem deve devem será serão tem têm pelo pela pelos
        pelas sido contra cada outro outra novo nova dois duas três havia pois num numa
        """,
    "Italian": """
        il lo la i gli le di del dello della dei degli delle un uno una e è in che non si per con al alla ai
        agli alle dal dalla dai nel nella nei nelle sul sulla come più ma suo sua sono ha hanno stato stata
        stati essere era senza tra fra fino quando dove se già anche molto tutto tutti tutta tutte questo
        questa questi queste nostro nostra perché durante secondo prima dopo ancora né o può possono deve
        devono sarà saranno viene vengono entro nonostante ogni altro altri nuovo nuova due tre l' d' dell'
        all' nell' dall' un' ci ne da a
        """,
    "Dutch": """
        de het een en van is niet op te zijn dat met voor aan er door om ook naar nog bij uit als maar wordt
        worden werd werden heeft hebben kan kunnen moet moeten zal zullen geen meer dan deze dit die wij we
        zij ze hij hun onze ons over tot onder na zonder tegen tussen omdat wanneer indien waar hoe alle
        alleen al zeer reeds volgens tijdens vanaf binnen tenzij echter wel veel wat wie welke was waren had
        hadden zou zouden mag mogen nieuwe twee drie jaar ik je u uw in of
        """,
    "Polish": """
        i w nie na się z do że jest to o jak za od po przez oraz który która które którego są był była było
        były być może dla ale lub przed nad pod bez między jeśli jeżeli ponieważ gdy także również tylko już
        jeszcze bardzo tym tego ten ta te tej tych przy ma mają zostanie został została zostały musi należy
        powinien można co czy ich jego jej nasz nasza nas wszystkie wszystkich aby żeby więc we ze u a
        """,
    "Swedish": """
        och att det är inte som en ett för på av med den till har de vi kan ska om från men eller så var vid
        när nu efter också över under mellan utan mot hos sin sitt sina man han hon sig dem denna detta
        dessa ännu redan mycket bara blir blev blivit skulle måste får fick inom mer mest alla allt andra
        nya ingen inget inga vår vårt våra eftersom innan dock än där här hur vad vilka två tre år hade
        varit kommer finns saknas enligt i något någon ditt din dina dig du genom upp varje sedan göra gjort
        både båda bör igen flera före följande vill
        """,
    "Danish": """
        og at det er ikke som en et for på af med den til har de vi kan skal om fra men eller så var ved når
        nu efter også over under mellem uden mod hos sin sit sine man han hun sig dem denne dette disse
        endnu allerede meget kun bliver blev blevet skulle må får fik inden mere mest alle alt andre nye
        ingen intet vores fordi dog end der her hvor hvad hvilke to tre år havde været kommer findes mangler
        ifølge vil ville kunne hvis i noget nogen dit din dine dig du hvordan gennem op hver siden gøre
        gjort både begge bør igen flere måtte før følgende
        """,
    "Norwegian": """
        og at det er ikke som en et ei for på av med den til har de vi kan skal om fra men eller så var ved
        når nå etter også over under mellom uten mot hos sin sitt sine man han hun seg dem denne dette disse
        ennå allerede mye bare kun blir ble blitt skulle må får fikk innen mer mest alle alt andre nye ingen
        intet vår vårt våre fordi dog enn der her hvor hva hvilke to tre år hadde vært kommer finnes mangler
        ifølge vil ville kunne hvis ikkje eit ein dei frå i noe noen ditt din dine deg du hvordan gjennom
        opp hver siden gjøre gjort både begge bør igjen flere måtte enda følgende
        """,
    "Finnish": """
        ja on ei että se oli ovat mutta kun myös sen kuin hän joka tai ole vain jos niin tämä tämän mukaan
        vielä jo eivät olla ollut olleet voi voivat pitää täytyy sekä ennen jälkeen kanssa ilman vuoksi
        takia koska jotta siitä sitä tätä nyt kaikki kaikkien mitään kuitenkin mikäli joten saa tulee me ne
        he nämä näiden niiden jonka jotka joita uusi uuden eri kuten noin saakka asti aikana aikataulu
        vuonna ettei emme enää hyvin
        """,
    "Czech": """
        a v se na je že s z do o k i to by za pro jako po ale byl byla bylo byly být jsou není nebo podle
        před od při bez mezi pokud protože když také pouze jen již už ještě velmi který která které kterého
        tento tato toto této tím toho ten ta má mají bude budou musí může mohou jsme jsem nás náš naše
        všechny všech aby proto však kvůli až než co ve ze ke tak nemá nejsou žádné žádný další kterých
        během dne roku tedy například
        """,
    "Hungarian": """
        a az és nem hogy is egy van meg csak már még ha de volt lesz vagy mint ez ezt azt el ki be kell után
        előtt alatt között nélkül miatt szerint által mert amely amelyet aki ami amikor minden nagyon több
        nincs nincsenek lehet kellene lenne voltak vannak sem mi ők ezek azok ennek annak erre arra ebben
        abban való során pedig illetve valamint azonban új két három fog tud
        """,
    "Romanian": """
        și de la în nu este a cu pe un o să din care pentru au ca mai fost sunt sau dar până prin după între
        fără dacă deoarece când numai foarte acest această acestea acestui acestei al ale lui lor noi ei ea
        el va vor poate pot trebuie fi fie ar avea avem toate toți încă deja nici către asupra conform cum
        cel cea cei cele iar noastră nostru dintre
        """,
    "Turkish": """
        ve bir bu için ile da de olarak olan çok daha ancak veya gibi kadar sonra önce ise değil var yok
        henüz göre tarafından nedeniyle her tüm ne ama en şu o biz onlar bizim olup oldu olduğu olması
        olacak edildi edilmedi edilecek yapıldı yapılacak gerekiyor gerekir gerek sadece hâlâ hala üzere
        karşı arasında içinde üzerinde bile ki mi mı eğer çünkü hem ya artık bazı başka yeni iki
        """,
    "Indonesian or Malay": """
        yang dan di untuk dengan tidak ini itu dari pada dalam akan telah oleh sudah belum adalah atau juga
        karena kerana sebagai dapat boleh harus ke kami kita mereka jika bila apabila setelah selepas
        sebelum hingga sampai masih lebih para tersebut bahwa bahawa namun tetapi tanpa antara semua setiap
        hanya bisa ada perlu seperti saat agar supaya maka secara terhadap tentang bagi daripada ialah tiada
        sedang bukan lagi serta hari berada memiliki salah satu tersedia jangan sebuah bersama
        """,
    "Vietnamese": """
        và của là không có được cho các một những trong với để đã này khi đến từ sẽ về theo như người nhưng
        hoặc cần phải chưa vì nên tại trên sau trước do bị hơn nếu thì mà ra đang còn vẫn cũng tất cả mỗi
        nào hai năm tháng ngày giữa bởi việc chúng tôi đó
        """,
    "Swahili": """
        ya na wa kwa ni la za katika cha vya hii hiyo huu hizi hayo huyo hao ili kuwa bado lakini au kama
        kwamba kutoka hadi baada kabla bila pia tu sana wote yote zote sio si hakuna kuna ambayo ambao
        ambalo mpya sasa wakati kila hivyo kwenye mwa pa tarehe mwezi mwaka yako yake yao wake ikiwa hili
        lina hapa hizo ambacho inaweza itakuwa imekuwa haina mradi
        """,
    "Tagalog": """
        ang ng sa na mga ay hindi at ito para ni kung may si nang mula ngunit pero dahil upang wala walang
        pa po rin din lamang lang kami tayo sila siya natin namin nila kanilang aming ating noong kapag bago
        pagkatapos habang o kaya lahat bawat isang dapat maaari puwede ayon
        """,
    "Croatian": """
        i je u na se da za od su s koji koja koje iz o ne kao do a ili po će biti bio bila bilo bili nije
        nisu što može mogu mora moraju prije poslije nakon bez između ako jer kada samo već još vrlo ovaj
        ova ovo ove tog toga taj te smo sam naš naša sve svih ali zbog prema kod sa ima imaju bi kako nema
        trebati treba tijekom ovdje sadrži jedan jedne ovisi rok roku vam vas
        """,
    "Slovak": """
        a v sa na je že s z do o k i to by za pre ako po ale bol bola bolo boli byť sú nie alebo podľa pred
        od pri bez medzi ak pretože keď tiež iba len už ešte veľmi ktorý ktorá ktoré ktorého tento táto toto
        tejto tým toho ten tá má majú bude budú musí môže môžu sme som nás náš naše všetky všetkých aby
        preto však kvôli až než čo vo zo ku tak nemá aj žiadne žiadny možno nemožno ďalší ďalšie ktorých
        ktorej vtedy počas dňa roku
        """,
    "Slovenian": """
        in je ne da se na za ki so v z po s kot ali bi pri tudi od še le če pa ni bo bodo lahko mora morajo
        bil bila bilo bili biti smo sem zaradi med pred brez nad pod ker ko kadar samo že zelo kateri katera
        ta to tega tem naš naša vse vseh torej vendar do iz ter kaj ima imajo
        """,
    "Lithuanian": """
        ir yra ne kad su iš į bet tai kaip dėl apie po ar buvo nuo iki prie už per jei bus gali turi dar jau
        arba taip pat mes jie jis ji šis ši tik labai nėra be prieš tarp kuris kuri kurie šio visi visų mūsų
        negali pagal nes
        """,
    "Latvian": """
        un ir nav ar no uz par ka kas tas tā bet vai arī pēc līdz lai ja kā to šis šī tiek tika būs var jau
        vēl pie bez starp pirms tikai jo mēs viņi visi visu šo kad ļoti netiek nevar kurš kura bija būt dēļ
        saskaņā ko
        """,
    "Estonian": """
        ja on ei et see oli ka kui aga või mis ning ole veel juba kes selle seda pole olnud võib peab tuleb
        saab enne pärast koos ilma tõttu sest kuni meie nad need nende kõik kõigi ainult väga siis nüüd
        mitte üle alates vastavalt kuid oleks olid uue uus eest poolt jooksul kohta peale vahel selles
        sellest sellele teie sinu ära peaks andmete ühe mille millest jaoks tuleks kasutades
        """,
    "Icelandic": """
        og að er ekki í á það sem við um hefur til með fyrir af en eru var eða hann hún þeir þau þessi þetta
        verður voru verið ef þegar eftir einnig milli án frá nú enn þá ég hafa ekkert engin allir allt aðrir
        mjög aðeins mun munu getur þarf vegna samkvæmt
        """,
    "Albanian": """
        dhe të në për nuk është me e i që së një nga ka u si do por ose janë ishte kjo ky këtë kur më pa
        deri pas para ndërmjet sepse vetëm shumë mund duhet jemi kemi kanë nëse ende tani gjatë sipas
        """,
    "Catalan": """
        el la els les de del dels un una i en que no es per amb al als com més però seu seva ha han està
        estan són ser va sense sobre entre fins des quan on si ja també molt tot tots aquest aquesta aquests
        hi perquè durant segons abans després encara ni o pot poden cada altre nostre nostra l' d' s' n' cal
        serà això
        """,
    "Afrikaans": """
        die en is nie van het om te dat vir met op sal nog deur moet kan aan by was wat hulle ons word geen
        maar voor tot ook as daar hierdie uit sonder tussen omdat wanneer al baie teen na oor 'n hy sy
        """,
}
